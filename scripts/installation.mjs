/**
 * Brings the workspace from whatever state it is in to one where things run: the right Node, the packages of the lock
 * file, a SQLite that loads. Knows only Node's own modules. Every failure is one sentence and how to mend it.
 */

import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { delimiter, join } from 'node:path';
import { npm, root, run, tool } from './workspace.mjs';

const NODE_MIN = [20, 19];
// Not `npm ci`: it refuses a lock file that lacks the binaries for other systems, and a mirror need not have all of those.
const INSTALL = ['install', '--no-save', '--no-audit', '--no-fund'];
const HEARTBEAT_MS = 20_000;

/** An installation that cannot go on; the message is for the person at the terminal. */
export class InstallationError extends Error {}

/** Installs what is missing or outdated. Throws an `InstallationError`; says what it does when it does anything. */
export async function ensureInstalled() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
    throw new InstallationError(`Node ${process.versions.node} is too old: Holdfast needs ${NODE_MIN.join('.')} or newer.`);
  }
  const missing = whatIsMissing(root);
  if (missing !== undefined) await install(missing);
  if (!hasBuiltinSqlite() && !(await loadsBetterSqlite())) await compileSqlite();
}

/** Builds all packages; prints nothing unless that fails. */
export async function ensureBuilt() {
  const { code, output } = await tool('typescript/bin/tsc', ['-b']);
  if (code !== 0) throw new InstallationError(`The build failed:\n${output.trimEnd()}`);
}

/** Runs `main`; an `InstallationError` becomes its message and exit code 1. */
export async function orExplain(main) {
  try {
    return await main();
  } catch (error) {
    if (!(error instanceof InstallationError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
    return undefined;
  }
}

/** Why an installation is needed, or undefined. Compares the lock file with what npm noted that it installed. */
export function whatIsMissing(base) {
  const noted = join(base, 'node_modules/.package-lock.json');
  if (!existsSync(noted)) return 'nothing is installed yet';
  const wanted = JSON.parse(readFileSync(join(base, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(noted, 'utf8')).packages;
  for (const [path, { version, optional, peer }] of Object.entries(wanted)) {
    // Optional packages are often for other platforms; better-sqlite3 is looked at by loading it.
    if (!path.includes('node_modules/') || version === undefined) continue;
    const found = installed[path]?.version;
    if (found === undefined ? !optional && !peer : found !== version) return `${path.replace('node_modules/', '')} ${version} is missing`;
  }
  return undefined;
}

async function install(reason) {
  console.log(`Installing (${reason}). The first time takes a few minutes: better-sqlite3 may compile for one to three of them.`);
  const native = hasBuiltinSqlite() ? [] : missingCompilerTools();
  if (native.length > 0) console.log(`${native.join(', ')} not found: better-sqlite3 cannot compile here. ${compilerAdvice()}`);
  const { code, output } = await withHeartbeat(npm(INSTALL));
  if (code === 0) return;
  if (/\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/.test(output)) {
    throw new InstallationError('npm cannot reach its registry: connect to the network, or name a mirror with "npm config set registry".');
  }
  throw new InstallationError(`npm could not install the packages:\n${output.trimEnd()}`);
}

async function compileSqlite() {
  const tools = missingCompilerTools();
  if (tools.length === 0) console.log(`Compiling better-sqlite3 for Node ${process.versions.node}: one to three minutes.`);
  const present = existsSync(join(root, 'node_modules/better-sqlite3'));
  const { output } = await withHeartbeat(npm(present ? ['rebuild', 'better-sqlite3'] : INSTALL));
  if (await loadsBetterSqlite()) return;
  if (tools.length > 0)
    throw new InstallationError(`There is no SQLite for this Node, and ${tools.join(', ')} to compile one not found. ${compilerAdvice()}`);
  throw new InstallationError(
    `better-sqlite3 does not load on Node ${process.versions.node}, even after compiling it:\n${output.trimEnd()}`,
  );
}

function compilerAdvice() {
  return 'Mend it with "apt install python3 make g++", or use Node 22.13 or newer, which has SQLite built in.';
}

function hasBuiltinSqlite() {
  return isBuiltin('node:sqlite');
}

/** Tried in a process of its own: Node remembers in this one that a module was not there. */
async function loadsBetterSqlite() {
  const code = "new (require('better-sqlite3'))(':memory:').close()";
  return (await run(process.execPath, ['-e', code], { cwd: join(root, 'packages/store-sqlite') })).code === 0;
}

function missingCompilerTools() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return ['python3', 'make', 'g++'].filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
}

/** Says from time to time that it is still going on. */
async function withHeartbeat(promise) {
  const began = Date.now();
  const timer = setInterval(() => console.log(`... ${Math.round((Date.now() - began) / 1000)} s`), HEARTBEAT_MS);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}
