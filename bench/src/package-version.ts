/** Which version of a package is installed here. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** `undefined` if it is not installed. */
export function versionOf(name: string): string | undefined {
  let path: string;
  try {
    path = createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined;
  }
  for (let folder = join(path, '..'); folder !== '/'; folder = join(folder, '..')) {
    const file = join(folder, 'package.json');
    if (existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === name) return packageVersion(file);
  }
  return undefined;
}

function packageVersion(path: string): string {
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
