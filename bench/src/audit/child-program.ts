/** Where a module lies that is also run as a program of its own. */

import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The compiled file of a module of the audit: a test runs it as it is written. Throws where nothing is built. */
export function programOf(moduleUrl: string): string {
  const path = fileURLToPath(moduleUrl);
  if (!path.endsWith('.ts')) return path;
  const built = fileURLToPath(new URL(`../../dist/audit/${basename(path, '.ts')}.js`, moduleUrl));
  if (!existsSync(built)) throw new Error('The audit is not built: run "npx tsc -b".');
  return built;
}
