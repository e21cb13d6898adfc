/** Which version of a package is installed here. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** `undefined` if it is not installed. */
export function versionOf(name: string): string | undefined {
  // Not every package exports its manifest.
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const manifest = folders.map((folder) => join(folder, name, 'package.json')).find((path) => existsSync(path));
  return manifest === undefined ? undefined : (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

/** By name, each once. Throws if one of them is not installed. */
export function versionsOf(names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, versionOf(name) ?? missing(name)]));
}

function missing(name: string): never {
  throw new Error(`${name} is not installed`);
}
