/**
 * Every code that the tables of `wire` promise is said somewhere: an error code stands as a string, and a close code as
 * `CLOSE_CODES.NAME`, in the sources of a package, outside the tables themselves and outside tests.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { conclude, isMain, listFiles, root, TEST_FILE } from './workspace.mjs';

const TABLES = 'packages/wire/src/codes.ts';

/** The names of the rows of the table `const NAME = {...} as const` in a source text. */
export function namesIn(text, name) {
  const [, body] = new RegExp(`\\bconst ${name} = \\{\n([^]*?)\n\\} as const`).exec(text) ?? [];
  if (body === undefined) throw new Error(`${TABLES}: no table ${name}`);
  return [...body.matchAll(/^ {2}([A-Z_]+):/gm)].map((match) => match[1]);
}

/** The codes of the tables in `base` that no source says, and how many there are: `{unused, count}`. */
export function checkCodes(base) {
  const tables = readFileSync(join(base, TABLES), 'utf8');
  const files = listFiles(base, ['.ts', '.tsx']).filter((file) => /^packages\/[^/]+\/src\//.test(file));
  const text = files
    .filter((file) => file !== TABLES && !TEST_FILE.test(file))
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
    unused.map((code) => `${TABLES}: nothing says ${code}`),
    `${count} codes, each said somewhere`,
  );
}
