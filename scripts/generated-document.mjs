/** A document that is made whole from the code: written, or with `--check` compared with what is there. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { conclude, root } from './workspace.mjs';

/** Writes `text` to `path`, or compares; `what` is counted in the line that says so. */
export function concludeDocument(path, text, script, what) {
  const file = join(root, path);
  const isSame = existsSync(file) && readFileSync(file, 'utf8') === text;
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (!isSame) return conclude([`${path} is not what the code says: node ${script}`], '');
  return conclude([], `${what} in ${path} are those of the code`);
}
