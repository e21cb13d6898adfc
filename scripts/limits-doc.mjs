/**
 * docs/limits.md, made from the two tables of limits of the built packages `wire` and `server`. Without an argument the file
 * is written; `--check` changes nothing and fails if it differs from what the code says.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { markdownTable } from './protocol-tables.mjs';
import { concludeDocument } from './generated-document.mjs';
import { conclude, isMain, root } from './workspace.mjs';

/** In the order of the document: which limits each part has. */
const GROUPS = [
  {
    title: 'Before it is known who it is',
    text: 'The cheapest refusals: most of them come instead of the upgrade.',
    has: (name) => /^(accepts|address(Accepts|Connections)|connectionsMax|pendingConnections|subjectConnections|hello)/.test(name),
  },
  {
    title: 'Rates',
    text:
      'Each rate is counted three times: on the connection, for the subject over all its connections, and for the address over all of its. ' +
      'A frame passes if all three have room; what is refused takes nothing. So much as `burstMs` of a rate may come at once. ' +
      '`retryAfterMs` says when an eighth of that is free again. What the client library publishes is sent again after it by itself, in order, and nothing is lost.',
    has: (name) => /PerSecond$|^burstMs$/.test(name),
  },
  {
    title: 'Queues, memory and time',
    text: 'What may be under way at a time, and how much of the machine it may take.',
    has: (name) =>
      /^(unanswered|replayPages|members|registers|memory|hookTimeout|queueBytes|inFlight|requests|subscriptionsMax|producerSilence)/.test(
        name,
      ),
  },
  {
    title: 'Frames',
    text: 'What one frame may be. A client is told these in `welcome` ([PROTOCOL.md, HF-12](../PROTOCOL.md#hf-12-limits)), so that one which keeps to them never reaches them.',
    has: () => true,
  },
];

/** What the table of announced limits says in one sentence, in columns; and where what is reached is counted instead. */
const ANNOUNCED = {
  frameBytesMax: { scope: 'connection', code: undefined, reached: 'Closed with 1009.' },
  inFlightMax: { scope: 'topic and producer', code: 'TOO_MANY_IN_FLIGHT', reached: 'Refused as retryable.' },
  topicsPerFrameMax: { scope: 'connection', code: 'BAD_FRAME', reached: 'Closed with 4000.', counted: 'errors_total' },
  subscriptionsMax: { scope: 'connection', code: 'TOO_MANY_SUBSCRIPTIONS', reached: 'Refused.' },
  entriesPerPublishMax: {
    scope: 'connection',
    code: 'BAD_FRAME',
    reached: 'Refused; nothing is stored, no seq is spent.',
    counted: 'errors_total',
  },
  readCountMax: {
    scope: 'connection',
    code: undefined,
    reached: 'The answer has so many, and the next `read` goes on.',
    counted: undefined,
  },
  requestsMax: { scope: 'connection', code: 'TOO_MANY_IN_FLIGHT', reached: 'Refused as retryable.' },
  depthMax: { scope: 'connection', code: 'TOO_DEEP', reached: 'Refused.', counted: 'errors_total' },
  keysMax: { scope: 'connection', code: 'TOO_MANY_KEYS', reached: 'Refused.', counted: 'errors_total' },
  queueBytesMax: {
    scope: 'connection',
    code: undefined,
    reached: 'Its cursors stop until it has drained; nothing is lost.',
    counted: 'slow_connections',
  },
  producerSilenceMs: {
    scope: 'topic and producer',
    code: 'PRODUCER_UNKNOWN',
    reached: 'The client begins a new producer.',
    counted: 'errors_total',
  },
};

/** Limits of the node that are not counted under their own name. */
const COUNTED_ELSEWHERE = { replayPagesMax: 'waiting_reads', burstMs: undefined };

const UNITS = [
  ['days', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];

/** A value for people: `256 KiB`, `30 days`, `5,000`. */
export function humanValue(name, value) {
  if (value === Infinity) return 'none';
  const count = (number) => number.toLocaleString('en-US');
  if (/Bytes/.test(name)) {
    const [unit, size] = [
      ['GiB', 2 ** 30],
      ['MiB', 2 ** 20],
      ['KiB', 2 ** 10],
    ].find(([, bytes]) => value % bytes === 0) ?? ['bytes', 1];
    return `${count(value / size)} ${unit}${name.endsWith('PerSecond') ? '/s' : ''}`;
  }
  if (name.endsWith('Ms')) {
    const [unit, size] = UNITS.find(([, ms]) => value % ms === 0) ?? ['ms', 1];
    return `${count(value / size)} ${unit}`;
  }
  return `${count(value)}${name.endsWith('PerSecond') ? '/s' : ''}`;
}

/** The rows of both tables in one form. Throws for an announced limit that has no columns here. */
export function limitRows({ DEFAULT_LIMITS, LIMIT_MEANINGS, NODE_LIMITS }) {
  const announced = Object.entries(DEFAULT_LIMITS).map(([name, value]) => {
    const columns = ANNOUNCED[name];
    if (columns === undefined) throw new Error(`scripts/limits-doc.mjs: ANNOUNCED lacks "${name}"`);
    const [meaning] = LIMIT_MEANINGS[name].split(/\.(?= [A-Z])/);
    const counted = 'counted' in columns ? columns.counted : 'limit_reached_total';
    return { name, ...columns, counted, meaning: `${meaning.replace(/\.$/, '')}.`, value: humanValue(name, value) };
  });
  const node = Object.entries(NODE_LIMITS).map(([name, { scope, code, reached, meaning, default: value, defaultText }]) => {
    const counted = Object.hasOwn(COUNTED_ELSEWHERE, name) ? COUNTED_ELSEWHERE[name] : 'limit_reached_total';
    return { name, scope, code, reached, counted, meaning, value: defaultText ?? humanValue(name, value) };
  });
  return [...node, ...announced];
}

/** The whole document. */
export function limitsDocument(tables) {
  const header = ['limit', 'bounds', 'of each', 'default', 'what happens', 'the client is told', 'counted in'];
  const left = new Set(limitRows(tables));
  const parts = GROUPS.map(({ title, text, has }) => {
    const rows = [...left].filter(({ name }) => has(name));
    for (const row of rows) left.delete(row);
    const cells = rows.map(({ name, meaning, scope, value, reached, code, counted }) => [
      `\`${name}\``,
      meaning,
      scope,
      value,
      reached,
      code === undefined ? '' : `\`${code}\``,
      counted === undefined ? '' : counted === 'limit_reached_total' ? 'its own name' : `\`${counted}\``,
    ]);
    return `## ${title}\n\n${text}\n\n${markdownTable(header, cells)}\n`;
  });
  return `${HEAD}\n${parts.join('\n')}`;
}

const HEAD = `# Limits

<!-- Made from packages/wire/src/limits.ts and packages/server/src/node-limits.ts by scripts/limits-doc.mjs. -->

Everything that a server keeps for somebody has a bound, and every bound a stated behaviour. A test reaches each of those below
(\`packages/server/src/limits.test.ts\`).

**To set one:** \`createHub({ store, limits: { addressConnectionsMax: 20_000 } })\`, by the names below. \`Infinity\` lifts a limit of the node, not one of those that
clients are told. A name that is none, or a value out of bounds, is refused when the hub is created.

**To see which are reached:** \`holdfast_limit_reached_total{limit="..."}\` counts each by its own name where the last column says so, and \`holdfast_limit{limit="..."}\`
shows the value that is in force ([metrics](metrics.md)); the other metrics named there stand in for the rest; an empty column says that it\nis not counted. The log has one line per limit and connection, once a
second at the most: \`event\` is \`limited\`.

**An address** is that of the peer, or behind trusted proxies what they say; a /64 of IPv6 counts as one. A whole office or mobile network may come from one address:
raise those of the address first.

**Who goes on** sending against refusals, more than \`refusalsPerSecond\` times in a second, is closed with 4100; the client comes back after a growing delay and
resumes.
`;

async function main() {
  const files = ['wire', 'server'].map((name) => join(root, 'packages', name, 'dist/index.js'));
  for (const file of files) if (!existsSync(file)) return conclude([`${file.slice(root.length)} is not built: npm run build`], '');
  const [wire, server] = await Promise.all(files.map((file) => import(pathToFileURL(file).href)));
  const tables = { ...wire, ...server };
  return concludeDocument('docs/limits.md', limitsDocument(tables), 'scripts/limits-doc.mjs', `${limitRows(tables).length} limits`);
}

if (isMain(import.meta)) await main();
