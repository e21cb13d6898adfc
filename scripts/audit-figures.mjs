/** What docs/audit.md shows of bench/results/audit.json: its tables and its printed output. `figures.mjs` puts them in their places. */

import { markdownTable } from './protocol-tables.mjs';

const count = (value) => value.toLocaleString('en-US');

/** Two digits behind the point; nothing lost is a plain 0. */
function share(part, whole) {
  return part === 0 ? '0' : ((100 * part) / whole).toFixed(2);
}

function times({ p50, p95, p99 }) {
  return p50 === null ? ['never', 'never', 'never'] : [p50, p95, p99].map(count);
}

/** The tables by the names of their markers. `provenanceOf` says where and when a result was made. */
export function auditTables({ rows, versions, plan, ...result }, provenanceOf) {
  const verdicts = rows.map(({ title, lost, duplicated, reordered, expected, told, calmLost, calmExpected }) => [
    title,
    `${count(lost)} / ${count(duplicated)} / ${count(reordered)}`,
    share(lost, expected),
    lost === 0 ? '' : count(lost - told),
    share(calmLost, calmExpected),
  ]);
  const returns = rows.map(({ title, cuts, reconnections, awayMs, behind, replayed, interrupted, replayMs }) => [
    title,
    count(cuts),
    count(reconnections),
    ...times(awayMs),
    `${count(replayed + interrupted)} of ${count(behind)}`,
    ...times(replayMs),
  ]);
  const [{ clients, broadcasts, expected }] = rows;
  const others = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return {
    verdict: `${markdownTable(['server and client', 'lost / duplicated / reordered', 'lost, %', 'lost and not told', 'lost by cuts alone, %'], verdicts)}

${count(clients)} clients, ${count(broadcasts)} broadcasts, ${count(expected)} deliveries; seed ${plan.seed}. ${provenanceOf(result)} Compared with ${others.join(', ')}.`,
    returns: markdownTable(
      [
        'server and client',
        'cuts',
        'reconnections',
        'away p50, ms',
        'p95',
        'p99',
        'got all that they missed',
        'replay p50, ms',
        'p95',
        'p99',
      ],
      returns,
    ),
    output: `\`\`\`\n$ ${result.command}\n${result.output.join('\n')}\n\`\`\``,
  };
}
