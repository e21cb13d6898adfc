/**
 * Every code that the tables of `wire` promise is said somewhere: an error code stands as a string, and a close code as
 * `CLOSE_CODES.NAME`, in the sources of a package, outside the tables themselves and outside tests. And every code that
 * the client raises has its sentences in what a browser downloads; in production, if it is raised without one of its own.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { conclude, isMain, listFiles, root, TEST_FILE } from './workspace.mjs';

const TABLES = 'packages/wire/src/codes.ts';
const CLIENT_TEXTS = 'packages/wire/src/client-code-texts.ts';
const PRODUCTION_TEXTS = 'packages/wire/src/production-code-texts.ts';
/** What of the client no browser downloads. */
const NODE_ONLY = /\/(node|outbox-file|file-lock|socket-(node|ws|failure))\.ts$/;
/** What the codes mean in words: a row there says nothing to anybody. */
const TEXTS = /^packages\/wire\/src\/((client|production)-)?code-texts\.ts$/;

/** The names of the rows of the table `const NAME = {...}` in a source text, whatever its type. */
export function namesIn(text, name) {
  const [, body] = new RegExp(`\\bconst ${name}\\b[^]*? = \\{\n([^]*?)\n\\}`).exec(text) ?? [];
  if (body === undefined) throw new Error(`${TABLES}: no table ${name}`);
  return [...body.matchAll(/^ {2}([A-Z_]+):/gm)].map((match) => match[1]);
}

/** The codes of errors that the client makes in a browser, and that have no sentences there. */
export function unexplainedCodes(base) {
  const texts = namesIn(readFileSync(join(base, CLIENT_TEXTS), 'utf8'), 'CLIENT_TEXTS');
  const raised = clientSources(base).flatMap((text) => [...text.matchAll(/new HoldfastError\(\s*'([A-Z_]+)'/g)]);
  return [...new Set(raised.map(([, code]) => code))].filter((code) => !texts.includes(code));
}

/** The codes of errors that the client makes in a browser without a sentence of their own, and that have none in production. */
export function silentCodes(base) {
  const texts = namesIn(readFileSync(join(base, PRODUCTION_TEXTS), 'utf8'), 'MEANINGS');
  const raised = clientSources(base).flatMap((text) => [...text.matchAll(/new HoldfastError\('([A-Z_]+)'\)/g)]);
  return [...new Set(raised.map(([, code]) => code))].filter((code) => !texts.includes(code));
}

/** What of the client a browser downloads. */
function clientSources(base) {
  return listFiles(base, ['.ts'])
    .filter((file) => file.startsWith('packages/client/src/') && !TEST_FILE.test(file) && !NODE_ONLY.test(file))
    .map((file) => readFileSync(join(base, file), 'utf8'));
}

/** The codes of the tables in `base` that no source says, and how many there are: `{unused, count}`. */
export function checkCodes(base) {
  const tables = readFileSync(join(base, TABLES), 'utf8');
  const files = listFiles(base, ['.ts', '.tsx']).filter((file) => /^packages\/[^/]+\/src\//.test(file));
  const text = files
    .filter((file) => file !== TABLES && !TEXTS.test(file) && !TEST_FILE.test(file))
    .map((file) => withoutComments(readFileSync(join(base, file), 'utf8')))
    .join('\n');
  const errors = namesIn(tables, 'ERROR_CODES');
  const closes = namesIn(tables, 'CLOSE_CODES');
  const unused = [
    ...errors.filter((code) => !new RegExp(`['"\`]${code}['"\`]`).test(text)),
    ...closes.filter((name) => !new RegExp(`\\bCLOSE_CODES\\.${name}\\b`).test(text)).map((name) => `CLOSE_CODES.${name}`),
  ];
  return { unused, count: errors.length + closes.length };
}

/** Comments begin a line or stand in a block; what follows code on its line is taken for code. */
function withoutComments(text) {
  return text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');
}

if (isMain(import.meta)) {
  const { unused, count } = checkCodes(root);
  conclude(
    [
      ...unused.map((code) => `${TABLES}: nothing says ${code}`),
      ...unexplainedCodes(root).map((code) => `${CLIENT_TEXTS}: the client raises ${code}, which has no row`),
      ...silentCodes(root).map((code) => `${PRODUCTION_TEXTS}: the client raises ${code} without a sentence, and it has no row`),
    ],
    `${count} codes, each said somewhere`,
  );
}
