/**
 * What docs/performance.md shows of the result files `bench/results/speed-*.json`: tables, goals with what was measured, and
 * bars as SVG. `figures.mjs` puts them in their places.
 */

import { markdownTable } from './protocol-tables.mjs';

/** The scenarios in the document's order; each has its marker and its result file. */
export const SCENARIOS = [
  'fan-out-1000',
  'fan-out-1000-x16',
  'fan-out-5000',
  'fan-out-5000-x16',
  'room-saturated',
  'room-paced',
  'topics',
  'latency',
  'call',
  'ack',
  'durable',
  'durable-16',
  'idle-10000',
  'idle-19000',
  'handshakes',
  'resume',
  'slow-readers',
  'updates',
];

const OURS = 'holdfast';

/** Scenario, metric, title: the bars. */
const CHARTS = [
  ['fan-out-1000-x16', 'cpuMicros', 'Server CPU per delivery, µs: one publisher to 1,000 subscribers, 16 messages under way'],
  ['room-saturated', 'cpuMicros', 'Server CPU per delivery, µs: 100 publishers in a room of 500'],
  ['fan-out-1000', 'cpuMicros', 'Server CPU per delivery, µs: one publisher to 1,000 subscribers, one message at a time'],
  ['latency', 'p99Ms', 'Latency p99, ms: 100 publishers in a room of 500, at half of what each server delivers at most'],
  ['idle-10000', 'bytes', 'Resident memory per idle connection, bytes: 10,000 connections'],
];

/** At least two digits, thousands with commas; an unknown figure is told as such. */
function formatFigure(value) {
  if (value === undefined || value === null || !Number.isFinite(value)) return 'unknown';
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(2);
}

/** The median with the smallest and the largest run. */
function formatRange({ median, min, max }) {
  return min === max ? formatFigure(median) : `${formatFigure(median)} (${formatFigure(min)} to ${formatFigure(max)})`;
}

/** The table of one result: medians with their range, and the first metric as a multiple of ours. */
export function speedTable(result, provenanceOf) {
  const [first] = result.metrics;
  const ours = result.rows.find(({ contender }) => contender === OURS)?.figures[first.name]?.median;
  const head = ['server', ...result.metrics.map(({ title, unit }) => (unit === '' ? title : `${title}, ${unit}`))];
  if (ours !== undefined) head.push(`${first.title}, times ours`);
  const cells = result.rows.map(({ title, figures }) => [
    title,
    ...result.metrics.map(({ name }) => formatRange(figures[name])),
    ...(ours === undefined ? [] : [formatFigure(figures[first.name].median / ours)]),
  ]);
  const runs = `Median of ${result.runs} ${result.runs === 1 ? 'run' : 'runs'} of ${result.seconds} s each, the servers in turn.`;
  return `${markdownTable(head, cells)}\n\n${runs} ${provenanceOf(result)}`;
}

/** Median of a metric; `undefined` without a result. */
function figureIn(results) {
  return (scenario, contender, metric) => results[scenario]?.rows.find((row) => row.contender === contender)?.figures[metric]?.median;
}

/** Each goal: what is wanted, what was measured, and whether that is enough. */
const GOALS = [
  {
    goal: 'A burst to 1,000 subscribers takes a fifth of the processor time of `ws` at the most',
    measure: (at) => at('fan-out-1000-x16', OURS, 'cpuMicros') / at('fan-out-1000-x16', 'ws', 'cpuMicros'),
    max: 0.2,
  },
  {
    goal: 'and a fifth of that of Socket.IO',
    measure: (at) => at('fan-out-1000-x16', OURS, 'cpuMicros') / at('fan-out-1000-x16', 'socket.io', 'cpuMicros'),
    max: 0.2,
  },
  {
    goal: 'A busy room of 100 publishers and 500 subscribers takes a tenth of the processor time of `ws` at the most',
    measure: (at) => at('room-saturated', OURS, 'cpuMicros') / at('room-saturated', 'ws', 'cpuMicros'),
    max: 0.1,
  },
  {
    goal: 'A single message to 1,000 subscribers takes hardly more than with `ws`',
    measure: (at) => at('fan-out-1000', OURS, 'cpuMicros') / at('fan-out-1000', 'ws', 'cpuMicros'),
    max: 1.1,
  },
  {
    goal: "Credit, as this product's client gives it, costs the busy room half as much again at the most",
    measure: (at) => at('room-saturated', `${OURS}-credit`, 'cpuMicros') / at('room-saturated', OURS, 'cpuMicros'),
    max: 1.5,
  },
  {
    goal: '64 durable publishes under way: at least three times as many a second as single appends with `fsync`',
    measure: (at) => at('durable', `${OURS}-disk`, 'times'),
    min: 3,
  },
  {
    goal: 'An idle connection with a subscription takes 10,240 bytes at the most',
    measure: (at) => at('idle-10000', OURS, 'bytes'),
    max: 10_240,
  },
  {
    goal: 'A thousand connections a second can come',
    measure: (at) => at('handshakes', OURS, 'perSecond'),
    min: 1_000,
  },
  {
    goal: '5,000 clients with 100 missed entries each have them within 10,000 ms',
    measure: (at) => at('resume', OURS, 'totalMs'),
    max: 10_000,
  },
  {
    goal: "meanwhile another room's p99 stays below 250 ms",
    measure: (at) => at('resume', OURS, 'p99Ms'),
    max: 250,
  },
  {
    goal: 'A reader that stops reading holds 1,280 KiB at the most (`queueBytesMax` and a page)',
    measure: (at) => at('slow-readers', OURS, 'heldKiB'),
    max: 1_280,
  },
];

/** The goals beside what was measured. */
export function goalsTable(results) {
  const at = figureIn(results);
  const rows = GOALS.map(({ goal, measure, min, max }) => {
    const value = measure(at);
    const isMet = Number.isFinite(value) ? (min === undefined || value >= min) && (max === undefined || value <= max) : undefined;
    const wanted = min === undefined ? `at most ${formatFigure(max)}` : `at least ${formatFigure(min)}`;
    return [goal, wanted, formatFigure(value), isMet === undefined ? 'not measured' : isMet ? 'met' : '**not met**'];
  });
  return markdownTable(['goal', 'wanted', 'measured', ''], rows);
}

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('`', '');

/** Bars on a logarithmic scale, with the range of the runs; ours are darker. */
export function barChart(title, rows) {
  const [width, left, right, top, step] = [900, 330, 90, 56, 30];
  const known = rows.filter(({ figure }) => figure.median > 0);
  const from = 10 ** Math.floor(Math.log10(Math.min(...known.map(({ figure }) => figure.median)) * 0.9));
  const to = 10 ** Math.ceil(Math.log10(Math.max(...known.map(({ figure }) => Math.max(figure.max, figure.median)))));
  const place = (value) => {
    const share = Math.log10(Math.max(value, from) / from) / Math.log10(to / from);
    return Math.round(left + Math.min(1, share) * (width - left - right));
  };
  const height = top + known.length * step + 16;
  const lines = [];
  for (let mark = from; mark <= to * 1.001; mark *= 10)
    lines.push(
      `<path class="g" d="M${place(mark)} ${top - 8}V${height - 12}"/><text class="m" x="${place(mark)}" y="${top - 14}">${Number(mark.toPrecision(1)).toLocaleString('en-US')}</text>`,
    );
  known.forEach(({ label, figure, isOurs }, index) => {
    const y = top + index * step;
    const end = place(figure.median);
    lines.push(
      `<text class="l" x="${left - 10}" y="${y + 15}">${escaped(label)}</text>`,
      `<rect class="${isOurs ? 'o' : 'b'}" x="${left}" y="${y + 2}" width="${Math.max(2, end - left)}" height="18" rx="2"/>`,
      `<path class="r" d="M${place(figure.min)} ${y + 11}H${place(figure.max)}"/>`,
      `<text x="${Math.max(end, place(figure.max)) + 8}" y="${y + 15}">${formatFigure(figure.median)}</text>`,
    );
  });
  const style =
    '.b{fill:#a9bbd6}.o{fill:#2f5597}.g{stroke:#dde4ee}.r{stroke:#1b2430;stroke-width:1.5}.l{text-anchor:end}.m{text-anchor:middle;fill:#55637a;font-size:11px}.t{font-weight:600}';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#1b2430">`,
    `  <title>${escaped(title)}</title><style>${style}</style>`,
    `  <rect width="${width}" height="${height}" fill="#fff"/><text class="t" x="16" y="22">${escaped(title)}</text>`,
    ...lines.map((line) => `  ${line}`),
    '</svg>\n',
  ].join('\n');
}

/** The result files that there are, by scenario. */
export function speedResults(resultOf) {
  return Object.fromEntries(SCENARIOS.map((name) => [name, resultOf(`speed-${name}`)]));
}

/** What stands between the markers of docs/performance.md. */
export function performanceTables(results, provenanceOf) {
  const tables = Object.entries(results).map(([name, result]) => [name, speedTable(result, provenanceOf)]);
  const versions = new Map(
    Object.values(results).flatMap(({ rows }) => rows.map(({ contender, title, version }) => [contender, [title, version]])),
  );
  return {
    ...Object.fromEntries(tables),
    goals: goalsTable(results),
    servers: markdownTable(['server', 'version'], [...versions.values()]),
  };
}

/** The images of docs/performance.md by path. */
export function performanceImages(results) {
  return Object.fromEntries(
    CHARTS.map(([scenario, metric, title]) => {
      const rows = results[scenario].rows.map((row) => ({
        label: row.title,
        figure: row.figures[metric],
        isOurs: row.contender.startsWith(OURS),
      }));
      return [`docs/images/performance-${scenario}.svg`, barChart(title, rows)];
    }),
  );
}
