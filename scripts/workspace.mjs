/**
 * The workspace as the gate sees it: where it is, which packages it has, which files. Knows only Node's own modules, so
 * that it works before anything is installed.
 */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

// The output goes through pipes, where programs cannot see whether a person is watching.
const COLOURS = process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1', FORCE_COLOR: undefined };

const SKIPPED = new Set(['node_modules', 'dist', '.git', 'data', 'coverage', '.vite', '.cache']);

/** All files under `base` whose name ends in one of `endings`, as sorted paths relative to `base` with `/`. */
export function listFiles(base, endings, under = '') {
  const found = [];
  for (const entry of readdirSync(join(base, under), { withFileTypes: true })) {
    const path = under === '' ? entry.name : `${under}/${entry.name}`;
    if (entry.isDirectory() && !SKIPPED.has(entry.name)) found.push(...listFiles(base, endings, path));
    else if (entry.isFile() && endings.some((ending) => entry.name.endsWith(ending))) found.push(path);
  }
  return found.sort();
}

/** The packages of the workspace: `{dir, manifest}`, `dir` relative to `base`. */
export function listPackages(base = root) {
  const { workspaces } = JSON.parse(readFileSync(join(base, 'package.json'), 'utf8'));
  const dirs = workspaces.flatMap((pattern) => {
    if (!pattern.endsWith('/*')) return [pattern];
    const parent = pattern.slice(0, -2);
    if (!existsSync(join(base, parent))) return [];
    return readdirSync(join(base, parent)).map((name) => `${parent}/${name}`);
  });
  return dirs
    .filter((dir) => existsSync(join(base, dir, 'package.json')))
    .map((dir) => ({ dir, manifest: JSON.parse(readFileSync(join(base, dir, 'package.json'), 'utf8')) }));
}

/**
 * Runs a program and collects what it prints; `show` passes it on as it comes. Resolves with `{code, output, stdout}`:
 * `output` has both streams; code 1 stands for a program that a signal ended or that took longer than `timeoutMs` (10
 * minutes). Never rejects.
 */
export function run(command, args, { cwd = root, show = false, timeoutMs = 600_000, env = process.env, shell = false } = {}) {
  return new Promise((resolve) => {
    const both = [];
    const out = [];
    const child = spawn(command, args, { cwd, env: { ...env, ...COLOURS }, shell, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    const collect = (stream) => (chunk) => {
      both.push(chunk);
      if (stream === process.stdout) out.push(chunk);
      if (show) stream.write(chunk);
    };
    child.stdout.on('data', collect(process.stdout));
    child.stderr.on('data', collect(process.stderr));
    child.on('error', (error) => resolve({ code: 1, output: `${command}: ${error.message}`, stdout: '' }));
    child.on('close', (code, signal) => {
      const end = signal === null ? '' : `\n${command} was ended by ${signal}`;
      resolve({ code: code ?? 1, output: Buffer.concat(both).toString('utf8') + end, stdout: Buffer.concat(out).toString('utf8') });
    });
  });
}

/** Runs one of the installed tools by its JavaScript file, which spares a shell and works on every platform. */
export function tool(file, args, options) {
  return run(process.execPath, [join(root, 'node_modules', file), ...args], options);
}

/** Runs npm: the one that runs this script, if one does. */
export function npm(args, options) {
  const file = process.env.npm_execpath;
  if (file?.endsWith('.js')) return run(process.execPath, [file, ...args], options);
  return run('npm', args, { ...options, shell: process.platform === 'win32' });
}

/** Files that only tests use: tests themselves, tests of types, what several tests share. Neither built nor published. */
export const TEST_FILE = /\.(?:test|test-d|testing)\.(?:ts|tsx|mjs)$/;

/** Ends a check of the gate: prints each failure, or the one line that says what was checked. */
export function conclude(failures, summary) {
  for (const failure of failures) console.log(failure);
  if (failures.length > 0) process.exitCode = 1;
  else console.log(summary);
}

/** Whether the module is the program that was started, as against imported by another. */
export function isMain(meta) {
  return process.argv[1] !== undefined && fileURLToPath(meta.url) === realpathSync(process.argv[1]);
}
