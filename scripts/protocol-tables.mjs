/**
 * The generated tables of PROTOCOL.md: error codes, close codes and limits, made from the built package `wire` and put
 * between the marker comments. Without an argument the file is brought up to date; `--check` changes nothing and fails
 * if the file differs from what the code says.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { conclude, isMain, root } from './workspace.mjs';

/** What a client does, by the advice that a close code's range gives (HF-11.1). */
const ADVICE = {
  stop: 'stops',
  'back-off': 'comes back after a growing delay',
  resume: 'comes back now and resumes',
  reauthenticate: 'gets new credentials and comes back',
};

/** A table in Markdown. Cells are single lines; `|` is escaped. */
export function markdownTable(header, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The tables by the names of their markers, from the exports of `wire` and of its texts. */
export function tablesOf({ ERROR_CODES, ERROR_TEXTS, CLOSE_CODES, CLOSE_TEXTS, closeAdvice, DEFAULT_LIMITS, LIMIT_MEANINGS }) {
  const codes = Object.entries(ERROR_CODES).map(([code, { retryable }]) => [
    `\`${code}\``,
    retryable ? 'yes' : 'no',
    ERROR_TEXTS[code].meaning,
    ERROR_TEXTS[code].hint,
  ]);
  const closes = Object.entries(CLOSE_CODES).map(([name, { code }]) => [code, `\`${name}\``, CLOSE_TEXTS[name], ADVICE[closeAdvice(code)]]);
  const limits = Object.entries(DEFAULT_LIMITS).map(([name, value]) => [
    `\`${name}\``,
    value.toLocaleString('en-US'),
    LIMIT_MEANINGS[name],
  ]);
  return {
    codes: markdownTable(['code', 'retryable', 'meaning', 'how to mend it'], codes),
    closes: markdownTable(['code', 'name', 'meaning', 'the client'], closes),
    limits: markdownTable(['limit', 'default', 'meaning'], limits),
  };
}

/** The text with each table between its markers. Throws if a table has no markers, or more than one pair; `where` begins the sentence. */
export function withTables(text, tables, where = 'PROTOCOL.md') {
  return Object.entries(tables).reduce((filled, [name, table]) => {
    const parts = filled.split(new RegExp(`(?<=<!-- ${name}:[^>]*-->\n)[^]*?(?=<!-- /${name} -->)`));
    if (parts.length !== 2) throw new Error(`${where}: want one <!-- ${name}: ... --> with its <!-- /${name} -->`);
    return parts.join(`\n${table}\n\n`);
  }, text);
}

/** How many rows the tables have together. */
function countRows(tables) {
  return Object.values(tables).reduce((sum, table) => sum + table.split('\n').length - 2, 0);
}

async function main() {
  const [built, texts] = ['index.js', 'code-texts.js'].map((file) => join(root, 'packages/wire/dist', file));
  if (!existsSync(built)) return conclude(['packages/wire is not built: npm run build'], '');
  const tables = tablesOf({ ...(await import(pathToFileURL(built).href)), ...(await import(pathToFileURL(texts).href)) });
  const path = join(root, 'PROTOCOL.md');
  const text = readFileSync(path, 'utf8');
  const filled = withTables(text, tables);
  if (!process.argv.includes('--check')) writeFileSync(path, filled);
  else if (filled !== text) return conclude(['PROTOCOL.md: its tables are not those of the code: node scripts/protocol-tables.mjs'], '');
  return conclude([], `${countRows(tables)} rows of PROTOCOL.md are those of the code`);
}

if (isMain(import.meta)) await main();
