/** The shape of source files: 600 lines at the most, and a name that says what is inside. */

import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { conclude, isMain, listFiles, root } from './workspace.mjs';

const LINES_MAX = 600;
const EMPTY_NAMES = /^(?:utils?|help\w*|common|misc|types|shared|lib)\./;

/** What is wrong with the files under `base`; `{failures, files, longest}`. */
export function checkFiles(base) {
  const files = listFiles(base, ['.ts', '.tsx', '.mjs', '.css', '.c', '.py']);
  const failures = [];
  let longest = { file: '', lines: 0 };
  for (const file of files) {
    const lines = readFileSync(join(base, file), 'utf8').replace(/\n$/, '').split('\n').length;
    if (lines > longest.lines) longest = { file, lines };
    if (lines > LINES_MAX) failures.push(`${file}: ${lines} lines, ${LINES_MAX} at the most`);
    if (EMPTY_NAMES.test(basename(file))) failures.push(`${file}: name it by what is inside`);
  }
  return { failures, files: files.length, longest };
}

if (isMain(import.meta)) {
  const { failures, files, longest } = checkFiles(root);
  conclude(failures, `${files} files, the longest ${longest.file} with ${longest.lines} lines`);
}
