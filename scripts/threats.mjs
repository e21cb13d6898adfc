/**
 * What THREAT_MODEL.md and SECURITY.md claim, as far as a program can tell: each row of a threat (`T-n`) names at least one test
 * by file and title, both are there, and none of that file is switched off; every file that it names is there; the dependencies
 * of the server are those that SECURITY.md lists; and none may be older than what is known to be sound.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { titlesOf } from './test-titles.mjs';
import { conclude, isMain, listPackages, root } from './workspace.mjs';

const MODEL = 'THREAT_MODEL.md';
const POLICY = 'SECURITY.md';

/** Of a dependency: no range of a package, and not what is installed, may be older than this, because of what was found in it. */
const FLOORS = { ws: '8.21.0' };

/** What runs in a server: packages that it is made of. */
const SERVER_PACKAGES = ['wire', 'server', 'store-sqlite', 'auth', 'http', 'ops', 'cli'].map((name) => `packages/${name}`);

const TEST_PATH = /`([\w./-]+\.test\.(?:ts|tsx|mjs))`/g;
const SOURCE_PATH = /`((?:packages|scripts|deploy|docs|apps|sim|fuzz|bench|examples)\/[\w./-]+\.\w+)`/g;
/** A part of a title that is shorter could stand in many: the whole of one may be as short as it likes. */
const TITLE_LENGTH_MIN = 12;

/** The rows of threats: `{id, cells}`. A row is a line of a table that begins with its id. */
export function threatsOf(text) {
  return [...text.matchAll(/^\| (T-\d+) \|(.*)\|$/gm)].map(([, id, rest]) => ({ id, cells: rest.split('|').map((cell) => cell.trim()) }));
}

/** The tests that a text names: each file in backticks with the titles in quotes behind it, `{file, titles}`. */
export function testsOf(text) {
  const parts = text.split(TEST_PATH);
  const tests = [];
  for (let at = 1; at < parts.length; at += 2) {
    tests.push({ file: parts[at], titles: [...parts[at + 1].matchAll(/"([^"]+)"/g)].map(([, title]) => title) });
  }
  return tests;
}

/** What is wrong with the page of threats under `base`; `{failures, threats, titles}`. */
export function checkThreats(base) {
  if (!existsSync(join(base, MODEL))) return { failures: [`${MODEL} is missing`], threats: 0, titles: 0 };
  const text = readFileSync(join(base, MODEL), 'utf8');
  const rows = threatsOf(text);
  const failures = rows.length === 0 ? [`${MODEL} has no row that begins with T-1`] : [];
  const ids = rows.map(({ id }) => id);
  failures.push(...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `${MODEL}: ${id} is there twice`));
  let titles = 0;
  for (const { id, cells } of rows) {
    if (cells.length !== 5 || cells.some((cell) => cell === ''))
      failures.push(`${MODEL}: ${id} wants five cells: the attack, what holds, where, the tests, what remains`);
    const tests = testsOf(cells[3] ?? '');
    if (tests.length === 0) failures.push(`${MODEL}: ${id} names no test`);
    for (const test of tests) failures.push(...wrongWith(base, id, test));
    titles += tests.reduce((sum, test) => sum + test.titles.length, 0);
  }
  for (const [, file] of text.matchAll(SOURCE_PATH)) if (!existsSync(join(base, file))) failures.push(`${MODEL}: there is no ${file}`);
  return { failures: [...new Set(failures)], threats: rows.length, titles };
}

function wrongWith(base, id, { file, titles }) {
  if (!existsSync(join(base, file))) return [`${MODEL}: ${id} names ${file}, which does not exist`];
  if (titles.length === 0) return [`${MODEL}: ${id} names no test in ${file}`];
  // Quotes and backslashes stand in a source as its own quotes demand: titles are chosen without them.
  const { titles: all, switched } = titlesOf(readFileSync(join(base, file), 'utf8'), { isReact: file.endsWith('x') });
  const failures = switched.map((off) => `${MODEL}: ${id} names ${file}, where there is a ${off}`);
  for (const title of titles.filter((one) => !all.includes(one))) {
    if (title.length < TITLE_LENGTH_MIN) failures.push(`${MODEL}: ${id} names "${title}", which is too short to be one test`);
    else if (!all.some((one) => one.includes(title))) failures.push(`${MODEL}: ${id} names "${title}", which is not in ${file}`);
  }
  return failures;
}

/** Whether a version is no older than a floor; both of three numbers. */
export function isAtLeast(version, floor) {
  const [one, other] = [version, floor].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)));
  const differs = one.findIndex((part, at) => part !== other[at]);
  return differs === -1 || one[differs] > other[differs];
}

/** What is wrong with the dependencies under `base`; `{failures, count}`. */
export function checkDependencies(base) {
  const failures = [];
  const packages = listPackages(base);
  for (const { dir, manifest } of packages) {
    for (const [name, floor] of Object.entries(FLOORS)) {
      for (const kind of ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies']) {
        const range = manifest[kind]?.[name];
        const [lowest] = /\d+\.\d+\.\d+/.exec(range ?? floor) ?? ['0.0.0'];
        if (!isAtLeast(lowest, floor)) failures.push(`${dir}/package.json: ${name} ${range} may be older than ${floor}`);
      }
    }
  }
  for (const [name, floor] of Object.entries(FLOORS)) {
    const file = join(base, 'node_modules', name, 'package.json');
    const version = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : floor;
    if (!isAtLeast(version, floor)) failures.push(`node_modules/${name} is ${version}, older than ${floor}`);
  }
  const ofServer = packages.filter(({ dir }) => SERVER_PACKAGES.includes(dir));
  const used = new Set(
    ofServer.flatMap(({ manifest }) => Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })).filter(isForeign),
  );
  const policy = existsSync(join(base, POLICY)) ? readFileSync(join(base, POLICY), 'utf8') : '';
  const listed = new Set([...policy.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name));
  failures.push(...[...used].filter((name) => !listed.has(name)).map((name) => `${POLICY} does not list the dependency ${name}`));
  failures.push(...[...listed].filter((name) => !used.has(name)).map((name) => `${POLICY} lists ${name}, which the server does not need`));
  return { failures, count: used.size };
}

function isForeign(name) {
  return !name.startsWith('@holdfast/');
}

if (isMain(import.meta)) {
  const { failures, threats, titles } = checkThreats(root);
  const dependencies = checkDependencies(root);
  conclude(
    [...failures, ...dependencies.failures],
    `${threats} threats name ${titles} tests that are there; ${dependencies.count} dependencies of the server as listed`,
  );
}
