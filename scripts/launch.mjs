/** Starts a built program in this very process, so that signals, exit code and output are its own. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InstallationError } from './installation.mjs';
import { root } from './workspace.mjs';

/** Runs `file` (relative to the workspace) as if Node had been started with it and `args`. Throws when it does not exist. */
export async function launch(file, args) {
  const path = join(root, file);
  if (!existsSync(path)) throw new InstallationError(`There is no ${file}, although everything is built.`);
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path).href);
}
