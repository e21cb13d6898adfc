/**
 * `npm start`: from a fresh clone to a running server with the demo on it. Installs and builds what is needed, then is
 * `holdfast serve --static apps/demo/dist`; arguments are passed on (`npm start -- --port 8080`).
 */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, orExplain } from './installation.mjs';
import { launch } from './launch.mjs';
import { root, tool } from './workspace.mjs';

const DEMO = join(root, 'apps/demo');

/** The newest modification time (ms) of a file, or of anything in a folder except what is built or installed. */
function newestMs(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const names = readdirSync(path).filter((name) => name !== 'dist' && name !== 'node_modules');
  return Math.max(0, ...names.map((name) => newestMs(join(path, name))));
}

/** Builds the demo if something is newer than it is. Resolves with the arguments that make the server serve it. */
async function ensureDemo() {
  const served = ['--static', join(DEMO, 'dist')];
  const page = join(DEMO, 'dist/index.html');
  const sources = [DEMO, join(root, 'packages/client/src'), join(root, 'packages/wire/src')];
  if (existsSync(page) && sources.every((path) => newestMs(path) <= statSync(page).mtimeMs)) return served;
  console.log('Building the demo.');
  const { code, output } = await tool('vite/bin/vite.js', ['build', '--logLevel', 'warn'], { cwd: DEMO });
  if (code === 0) return served;
  console.error(`The demo could not be built; the server starts without it.\n${output.trimEnd()}`);
  return [];
}

/**
 * Under npm a shell stands in between, which dies of a signal without passing it on, and the server would be left behind
 * with its port. When the shell is gone this process sends itself that signal.
 */
function followParent() {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  timer.unref();
}

const args = process.argv.slice(2);
await orExplain(async () => {
  await ensureInstalled();
  await ensureBuilt();
  const served = await ensureDemo();
  if (process.env.npm_lifecycle_event !== undefined) followParent();
  await launch('packages/cli/dist/main.js', ['serve', ...served, ...args]);
});
