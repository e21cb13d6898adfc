/** Starts a built program in this very process, so that signals, exit code and output are its own. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './workspace.mjs';

/** Runs `file` (relative to the workspace) as if Node had been started with it and `args`. */
export async function launch(file, args) {
  const path = join(root, file);
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path).href);
}
