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
  'room-calm',
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

/** Of how much more processor time a delivery of `peer` costs than one of ours. */
const times = (scenario, peer, ours = OURS) => ({
  measure: (at) => at(scenario, peer, 'cpuMicros') / at(scenario, ours, 'cpuMicros'),
});

/** Each goal: what is wanted, what was measured, and whether that is enough. */
const GOALS = [
  ...[
    ['fan-out-1000-x16', '1 to 1,000, 16 under way'],
    ['fan-out-5000-x16', '1 to 5,000, 16 under way'],
  ].flatMap(([scenario, what]) => [
    { goal: `${what}: CPU per delivery of Socket.IO, as a multiple of ours`, ...times(scenario, 'socket.io'), min: 12 },
    { goal: `${what}: of nats-server`, ...times(scenario, 'nats'), min: 1.5 },
    { goal: `${what}, on disk before it is acknowledged: of Socket.IO`, ...times(scenario, 'socket.io', `${OURS}-disk`), min: 12 },
    { goal: `${what}, on disk: of nats-server`, ...times(scenario, 'nats', `${OURS}-disk`), min: 1.5 },
    { goal: `${what}: of Bun`, ...times(scenario, 'bun'), min: 0.8 },
    { goal: `${what}: of the C program`, ...times(scenario, 'c'), min: 0.5 },
  ]),
  { goal: 'A room of 100 and 500, as fast as it goes: of Socket.IO', ...times('room-saturated', 'socket.io'), min: 60 },
  { goal: 'The same room: of nats-server', ...times('room-saturated', 'nats'), min: 10 },
  { goal: 'The same room: of Bun', ...times('room-saturated', 'bun'), min: 1.2 },
  { goal: 'The same room: of the C program', ...times('room-saturated', 'c'), min: 0.5 },
  {
    goal: 'The room at 2.5 million deliveries a second offered: delivered per second',
    measure: (at) => at('room-paced', OURS, 'perSecond'),
    min: 2_450_000,
  },
  { goal: 'There: latency p99, ms', measure: (at) => at('room-paced', OURS, 'p99Ms'), max: 15 },
  {
    goal: "There: what credit, as this product's client gives it, costs, as a multiple",
    ...times('room-paced', `${OURS}-credit`),
    max: 1.5,
  },
  { goal: 'One message at a time to 1,000: of the C program', ...times('fan-out-1000', 'c'), min: 0.67 },
  { goal: 'Request and answer, 16 under way: of Socket.IO', ...times('call', 'socket.io'), min: 10 },
  {
    goal: '64 durable publishes under way: times one `fsync` for each',
    measure: (at) => at('durable', `${OURS}-disk`, 'times'),
    min: 10,
  },
  {
    goal: 'An idle connection with a subscription, of 19,000, bytes',
    measure: (at) => at('idle-19000', OURS, 'bytes'),
    max: 8_192,
  },
  {
    goal: '5,000 clients return with 100 missed entries each: all caught up after, ms',
    measure: (at) => at('resume', OURS, 'totalMs'),
    max: 6_000,
  },
  { goal: "Meanwhile: another room's p99, ms", measure: (at) => at('resume', OURS, 'p99Ms'), max: 50 },
  { goal: 'Held for a reader that stops reading, KiB', measure: (at) => at('slow-readers', OURS, 'heldKiB'), max: 1_024 },
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

/** Where the server's processor time goes: `bench/results/profile.json`. */
export function profileTable(result, provenanceOf) {
  const parts = Object.entries(result.parts);
  const rows = result.rows.map(({ scenario, parts: shares }) => [
    scenario,
    ...parts.map(([part]) => `${Math.round(shares[part] * 100)} %`),
  ]);
  const caption = `Shares of the time in which the server did anything. One run of ${result.seconds} s each. ${provenanceOf(result)}`;
  return `${markdownTable(['scenario', ...parts.map(([, title]) => title)], rows)}\n\n${caption}`;
}

const middleOf = (values) => values.toSorted((a, b) => a - b)[Math.ceil(values.length / 2) - 1];
const whole = (value) => Math.round(value).toLocaleString('en-US');
const mib = (bytes) => whole(bytes / 2 ** 20);

/** What stays of each round, for each connection, bytes: the slope over the rounds but the first; with too few: unknown. */
function growthOf({ rounds, connections }) {
  const held = rounds.slice(1).map(({ heldBytes }) => heldBytes);
  if (held.length < 3) return 'unknown';
  const [middle, mean] = [(held.length - 1) / 2, held.reduce((sum, value) => sum + value, 0) / held.length];
  const above = held.reduce((sum, value, at) => sum + (at - middle) * (value - mean), 0);
  const below = held.reduce((sum, _, at) => sum + (at - middle) ** 2, 0);
  return whole(above / below / connections);
}

function stormCells({ connections, title, rounds, before }) {
  const median = (pick) => middleOf(rounds.map(pick));
  const most = (pick) => Math.max(...rounds.map(pick));
  const share = Math.min(...rounds.map(({ back }) => back)) / connections;
  const wrong = rounds.reduce((sum, { lost, doubled, disordered, late }) => sum + lost + doubled + disordered + late, 0);
  return [
    whole(connections),
    title,
    rounds.length,
    (share * 100).toFixed(share === 1 ? 0 : 2),
    whole(wrong),
    ...['p50Us', 'p95Us', 'p99Us'].map((name) => whole(median((round) => round[name]) / 1_000)),
    whole(most(({ maxUs }) => maxUs) / 1_000),
    `${whole(median(({ delayP99Ms }) => delayP99Ms))}, ${whole(most(({ delayMaxMs }) => delayMaxMs))}`,
    (median(({ cpuMs }) => cpuMs) / 1_000).toFixed(1),
    whole(median(({ refusals }) => refusals)),
    `${mib(before.residentBytes)}, ${mib(rounds[0].residentBytes)}, ${mib(rounds.at(-1).residentBytes)}`,
    growthOf({ rounds, connections }),
  ];
}

const STORM_HEAD = [
  'connections',
  'server',
  'rounds',
  'back with all, at least, %',
  'lost, double or out of order',
  'p50, ms',
  'p95, ms',
  'p99, ms',
  'the last of all, ms',
  'event loop late: p99, at most, ms',
  'server CPU, s',
  'attempts refused',
  'resident before, after the first round, after the last, MiB',
  'memory that stays, bytes per connection and round',
];

/** The tables of bench/results/storm.json by the names of their markers. */
export function stormTables(result, provenanceOf) {
  return Object.fromEntries(
    [...new Set(result.rows.map(({ mode }) => mode))].map((mode) => {
      const cells = result.rows.filter((row) => row.mode === mode).map(stormCells);
      return [
        `storm-${mode}`,
        `${markdownTable(STORM_HEAD, cells)}\n\nMedians of the rounds, the servers in turn. ${provenanceOf(result)}`,
      ];
    }),
  );
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
