/**
 * `holdfast serve`: one hub on one port, with a store on disk, for trying things out on one's own machine. An
 * application of its own begins where this ends: with `createHub` and hooks for its rights.
 */

import { dirname } from 'node:path';
import {
  createHub,
  createMemoryStore,
  listen,
  type EndpointOptions,
  type HoldfastServer,
  type Hub,
  type TopicStore,
} from '@holdfast/server';
import { createSqliteStore, type SqliteStore } from '@holdfast/store-sqlite';
import { HoldfastError } from '@holdfast/wire';
import { ERROR_TEXTS } from '@holdfast/wire/texts';
import { chatHandler } from './chat-handler.ts';
import { defineCommand, type Command } from './command.ts';
import { listenForControl, type Control } from './control.ts';
import { CommandFailure, EXIT_CODES, UsageError } from './failure.ts';
import { bytesOption, choiceOption, countOption, durationOption, flag, textOption, type OptionValues } from './option.ts';
import { createSite } from './site.ts';
import { stopSignal } from './stop-signal.ts';
import { version } from './version.ts';

const DATA = './data';
const PORT = 8_080;
const HOST = '127.0.0.1';
const DRAIN_MS = 3_000;

const OPTIONS = {
  port: countOption('PORT', `listen there; 0 takes any free port and says which (default ${PORT})`, 0, 65_535),
  host: textOption('HOST', `the address to listen on (default ${HOST}: this machine only)`),
  data: textOption('DIR', `the folder of the store, made if missing (default ${DATA})`),
  memory: flag('keep everything in memory: gone when the server ends'),
  sync: choiceOption(
    ['full', 'normal'],
    'full: acknowledged means it survives power loss (default);\nnormal: the death of the process only, with far fewer syncs',
  ),
  static: textOption('DIR', 'serve this folder over HTTP too; its index.html answers for a single page'),
  'retain-count': countOption('N', 'keep the newest N entries of each topic (default: all)', 1),
  'retain-age': durationOption('TIME', 'keep entries this long, such as 30d (default: for ever)'),
  'retain-bytes': bytesOption('SIZE', 'keep so much payload per topic, such as 10mb (default: all)'),
  'frame-max': bytesOption('SIZE', 'the largest frame either way (default 256kb)', 16_384),
  heartbeat: durationOption('TIME', 'beat when nothing else was sent for so long (default 25s)'),
  'presence-grace': durationOption('TIME', 'a member stays so long after its connection dropped (default 10s)'),
  drain: durationOption('TIME', `when stopping, give clients so long to leave (default ${DRAIN_MS / 1_000}s)`),
};

type Values = OptionValues<typeof OPTIONS>;

export const serve: Command = defineCommand({
  name: 'serve',
  summary: 'runs a server.',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  options: OPTIONS,
  details: [
    'Clients connect to ws://HOST:PORT/ (or /realtime); any WebSocket client without the protocol to /plain, for a chat.',
    'GET /health answers with JSON. Identities are in development mode: everybody is who they claim to be.',
    'Ctrl-C or SIGTERM stops it: clients are told, everything acknowledged is on disk. A second one ends it at once.',
  ].join('\n'),
  examples: [
    ['holdfast serve', `everything in ${DATA}, on http://localhost:${PORT}`],
    ['holdfast serve --port 9000 --data /var/lib/chat', 'another port, another folder'],
    ['holdfast serve --memory --static dist', 'a single-page app and a server that forgets'],
    ['holdfast serve --retain-count 10000 --retain-age 30d', 'bounded history; older readers get a gap'],
  ],
  run: async ({ values }) => {
    if (process.env['NODE_ENV'] === 'production') {
      throw new CommandFailure(
        'NODE_ENV is "production", and "holdfast serve" lets everybody be who they claim to be',
        'Write a server with @holdfast/server and its authenticate and authorize hooks, or unset NODE_ENV on a machine of your own.',
      );
    }
    if (values.memory === true && values.data !== undefined) throw new UsageError('--memory and --data exclude each other');
    if (values.memory === true && values.sync !== undefined) throw new UsageError('--memory and --sync exclude each other');
    const stop = stopSignal();
    const store = await openStore(values);
    const control = 'path' in store ? await openControl(store) : undefined;
    try {
      await serveUntil(stop, store, values);
    } finally {
      // A backup under way is finished, and told, before the socket goes.
      await store.close();
      await control?.close();
    }
    console.log('stopped');
    return EXIT_CODES.ok;
  },
});

async function serveUntil(stop: Promise<string>, store: TopicStore, values: Values): Promise<void> {
  const { port = PORT, host = HOST, drain = DRAIN_MS } = values;
  const startedAtMs = Date.now();
  const hub = createHub({
    store,
    topics: [{ pattern: '*', retention: retentionOf(values) }],
    ...(values['frame-max'] === undefined ? {} : { limits: { frameBytesMax: values['frame-max'] } }),
    ...(values.heartbeat === undefined ? {} : { heartbeatMs: values.heartbeat }),
    ...(values['presence-grace'] === undefined ? {} : { presenceGraceMs: values['presence-grace'] }),
  });
  let server: HoldfastServer | undefined;
  const request = createSite({
    directory: values.static,
    page: () => pageOf(server!.port),
    health: () => ({
      status: 'ok',
      version,
      uptimeMs: Date.now() - startedAtMs,
      connections: hub.connectionCount,
      durability: store.durability,
    }),
  });
  const protocol: EndpointOptions = {};
  try {
    server = await listen({ hub, port, host, request, paths: { '/': protocol, '/realtime': protocol, '/plain': { plain: chatHandler } } });
  } catch (error) {
    await hub.close();
    throw listenFailure(error, host, port);
  }
  announce(server.port, host, store);
  const signal = await stop;
  console.log(`${signal}: stopping, up to ${drain / 1_000} s for ${connections(hub)} to leave`);
  // No new ones; those that are there are told, and still served for a while (HF-8.3).
  server.http.close();
  await hub.close({ drainMs: drain });
  await server.close();
}

async function openStore({ memory, data = DATA, sync = 'full' }: Values): Promise<TopicStore | SqliteStore> {
  if (memory === true) return createMemoryStore();
  try {
    return await createSqliteStore({ directory: data, synchronous: sync });
  } catch (error) {
    throw openFailure(error, data);
  }
}

/** The table's hints are about a server at work; a folder that cannot be opened has other remedies. */
function openFailure(error: unknown, data: string): unknown {
  if (!(error instanceof HoldfastError) || error.hint !== ERROR_TEXTS[error.code].hint) return error;
  if (error.code === 'STORE_READ_ONLY')
    return new CommandFailure(error.message, 'Let this user write there, free some space, or name another folder with --data.');
  if (error.code === 'STORE_UNAVAILABLE') return new CommandFailure(error.message, `Look at ${data}, or name another folder with --data.`);
  return error;
}

/** Backups of a running server come this way. Where the system has no such socket, the server goes on without. */
async function openControl(store: SqliteStore): Promise<Control | undefined> {
  try {
    return await listenForControl(dirname(store.path), store);
  } catch (error) {
    console.error(
      `holdfast serve: no control socket beside ${store.path} (${(error as Error).message}); "holdfast backup" works only while no server runs`,
    );
    return undefined;
  }
}

function retentionOf({ 'retain-count': countMax, 'retain-age': ageMaxMs, 'retain-bytes': bytesMax }: Values): {
  countMax?: number;
  ageMaxMs?: number;
  bytesMax?: number;
} {
  return {
    ...(countMax === undefined ? {} : { countMax }),
    ...(ageMaxMs === undefined ? {} : { ageMaxMs }),
    ...(bytesMax === undefined ? {} : { bytesMax }),
  };
}

/** The first line is for programs too: it ends with the address. */
function announce(port: number, host: string, store: TopicStore): void {
  const web = `http://${displayName(host)}:${port}`;
  const rows = [
    ['clients', `${web.replace('http', 'ws')} (or /realtime); any WebSocket client: /plain`],
    ['data', dataLine(store)],
    ['identities', 'development mode: everybody is who they claim to be'],
    ...(isLoopback(host) ? [] : [['warning', `${host} is reachable from other machines, and anybody there may read and write everything`]]),
    ['stop', 'Ctrl-C'],
  ];
  console.log(`Holdfast ${version} is listening on ${web}`);
  for (const [name, text] of rows) console.log(`  ${name!.padEnd(10)}  ${text}`);
}

function dataLine(store: TopicStore): string {
  if (!('path' in store)) return 'in memory only: gone when the server ends';
  const { path, driver, sqliteVersion, durability } = store as SqliteStore;
  return `${path} (SQLite ${sqliteVersion} of ${driver}); acknowledged means ${durability === 'fsync' ? 'synced to disk' : 'handed to the operating system'}`;
}

function pageOf(port: number): string {
  return [
    `Holdfast ${version}`,
    '',
    `Clients connect to   ws://localhost:${port}/        (the protocol; see PROTOCOL.md)`,
    `                     ws://localhost:${port}/plain   (any WebSocket client, for a chat)`,
    '',
    'Try it: send these two lines from any WebSocket client on /plain, from two windows.',
    '  {"type":"join","conversationId":"42"}',
    `  {"type":"message","conversationId":"42","text":"hello","timestamp":${Date.now()}}`,
    '',
    `GET /health says how it is. From a shell: holdfast tail chat/42 --url ws://localhost:${port}`,
    '',
  ].join('\n');
}

function connections({ connectionCount }: Hub): string {
  return connectionCount === 1 ? '1 connection' : `${connectionCount} connections`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** What to type into a browser on this machine. */
function displayName(host: string): string {
  if (['127.0.0.1', '0.0.0.0', '::', '::1'].includes(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

function listenFailure(error: unknown, host: string, port: number): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new CommandFailure(
        `port ${port} on ${host} is taken by another program`,
        `End that one, or choose another port: --port ${port === 65_535 ? 0 : port + 1} (--port 0 takes any free one).`,
      );
    case 'EACCES':
      return new CommandFailure(`this user may not listen on port ${port}`, 'Choose one above 1023 with --port.');
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new CommandFailure(
        `${host} is not an address of this machine`,
        'Give --host one that is, such as 127.0.0.1, or 0.0.0.0 for all of them.',
      );
    default:
      return error;
  }
}
