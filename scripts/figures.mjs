/**
 * The figures of docs/durability.md, docs/connection.md, docs/performance.md and docs/audit.md, made from the result files
 * in bench/results, so that no figure stands in a document that no committed result holds. Without an argument the documents
 * and their images are brought up to date; `--check` changes nothing and fails if one differs.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { auditTables } from './audit-figures.mjs';
import { markdownTable, withTables } from './protocol-tables.mjs';
import { performanceImages, performanceTables, profileTable, speedResults, stormTables } from './performance.mjs';
import { conclude, isMain, root } from './workspace.mjs';

/** At least two digits, thousands with commas. */
export function formatFigure(value) {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(2);
}

/** Where and when a result was made, one sentence. */
export function provenanceOf({ commit, date, node, cpu, cores, memoryGiB, system }) {
  return `Commit ${commit}, ${date}, Node ${node}, ${cores} cores (${cpu}), ${memoryGiB} GiB, ${system}.`;
}

/** The table of a benchmark's result file. */
export function benchTable(result) {
  const rows = result.rows.map(({ name, unit, figure }) => [
    name,
    ...['median', 'min', 'max'].map((key) => formatFigure(figure[key])),
    unit,
  ]);
  const caption = `${provenanceOf(result)} ${result.rounds} rounds of ${result.seconds} s each, interleaved.`;
  return `${markdownTable(['what', 'median', 'min', 'max', 'unit'], rows)}\n\n${caption}`;
}

/** The table of bench/results/power-loss.json: after how many of the cuts something was wrong. */
export function powerLossTable({ rows, seed, ...result }) {
  const head = [
    '`synchronous`',
    'cuts',
    'an acknowledged entry lost',
    'file damaged',
    'batch torn',
    'hole in a topic',
    'most batches lost by one cut',
  ];
  const cells = rows.map(({ mode, cuts, cutsLost, cutsDamaged, cutsTorn, cutsHoled, lostMax }) =>
    [mode, cuts, cutsLost, cutsDamaged, cutsTorn, cutsHoled, lostMax].map((cell) =>
      typeof cell === 'number' ? cell.toLocaleString('en-US') : cell,
    ),
  );
  const runs = rows.map(({ mode, run }) => {
    const [batches, writes, syncs] = [run.batches, run.writes, run.syncs].map((count) => count.toLocaleString('en-US'));
    return `${mode}: ${batches} batches acknowledged, ${writes} writes, ${syncs} syncs.`;
  });
  return `${markdownTable(head, cells)}\n\n${provenanceOf(result)} Seed ${seed}. The runs: ${runs.join(' ')}`;
}

/** The printed output of a command, as its result file keeps it. */
export function outputBlock(result) {
  return `\`\`\`\n$ ${result.command}\n${result.output.join('\n')}\n\`\`\`\n\n${provenanceOf(result)}`;
}

/** The tables of bench/results/connection.json by the names of their markers, and what was compared where. */
export function connectionTables({ rows, versions, ...result }) {
  const measures = [...new Set(rows.map(({ measure }) => measure))];
  const tables = measures.map((measure) => {
    const own = rows.filter((row) => row.measure === measure);
    const headings = [...new Set(own.flatMap((row) => Object.keys(row.figures)))];
    const cells = own.map(({ name, figures }) => [name, ...headings.map((heading) => cellText(figures[heading]))]);
    return [measure.replaceAll(' ', '-'), markdownTable([measure === 'goals' ? 'goal' : 'client', ...headings], cells)];
  });
  const others = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return { ...Object.fromEntries(tables), compared: `${provenanceOf(result)} Compared with ${others.join(', ')}.` };
}

function cellText(value) {
  if (value === undefined) return '';
  if (value === null) return 'never';
  return typeof value === 'number' ? value.toLocaleString('en-US') : value;
}

const resultOf = (name) => JSON.parse(readFileSync(join(root, 'bench/results', `${name}.json`), 'utf8'));

/** What stands between the markers of each document. */
function figures() {
  return {
    'docs/durability.md': {
      append: benchTable(resultOf('append')),
      'power-loss': powerLossTable(resultOf('power-loss')),
      replay: outputBlock(resultOf('replay')),
    },
    'docs/connection.md': connectionTables(resultOf('connection')),
    'docs/performance.md': {
      ...performanceTables(speedResults(resultOf), provenanceOf),
      ...stormTables(resultOf('storm'), provenanceOf),
      profile: profileTable(resultOf('profile'), provenanceOf),
    },
    'docs/audit.md': auditTables(resultOf('audit'), provenanceOf),
  };
}

if (isMain(import.meta)) {
  const isCheck = process.argv.includes('--check');
  const failures = [];
  for (const [document, tables] of Object.entries(figures())) {
    const path = join(root, document);
    const text = readFileSync(path, 'utf8');
    const filled = withTables(text, tables, document);
    if (!isCheck) writeFileSync(path, filled);
    else if (filled !== text) failures.push(`${document} differs from bench/results: run node scripts/figures.mjs`);
  }
  for (const [image, text] of Object.entries(performanceImages(speedResults(resultOf)))) {
    const path = join(root, image);
    if (!isCheck) writeFileSync(path, text);
    else if (!existsSync(path) || readFileSync(path, 'utf8') !== text)
      failures.push(`${image} differs from bench/results: run node scripts/figures.mjs`);
  }
  conclude(
    failures,
    'the figures of docs/durability.md, docs/connection.md, docs/performance.md and docs/audit.md are those of bench/results',
  );
}
