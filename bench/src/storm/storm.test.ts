/** Everybody comes back at once: a short run with few connections; what is lost, doubled, out of order or left behind is found out. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { canLoad, LoadGenerator, type Returned } from '../load/load-generator.ts';
import { planOf, stormTable } from './command.ts';
import { STORM_CONTENDERS } from './contenders.ts';
import { measureStorm, type StormRound, type StormRow } from './storm.ts';
import { growthOf, GROWTH_BYTES_MAX, slope, stormFailures } from './verdict.ts';

const isPossible = canLoad();
if (!isPossible) console.warn('SKIPPED: the benchmark of storms needs Linux and a C compiler (cc).');

const closings: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

/** What a client that comes back gets of what it missed, where all the messages are known. */
type Replays = (missed: readonly string[], all: readonly string[]) => readonly string[];

/** The least that speaks as Socket.IO does, with one topic and recovery. Two attempts after the first `upgrades` get HTTP 503. */
async function serve(replays: Replays, upgrades = Infinity): Promise<LoadGenerator> {
  const rooms = new Set<WebSocket>();
  const log: string[] = [];
  let [sessions, comers] = [0, 0];
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    verifyClient: (_info, done) => done(++comers <= upgrades || comers > upgrades + 2, 503),
  });
  server.on('connection', (socket) => {
    socket.send('0{"sid":"x"}');
    socket.on('close', () => rooms.delete(socket));
    socket.on('message', (data) => {
      const text = (data as Buffer).toString();
      const { pid, offset } = JSON.parse(/^40(\{.*\})$/.exec(text)?.[1] ?? '{}') as { pid?: string; offset?: string };
      if (pid !== undefined) {
        rooms.add(socket);
        for (const event of replays(log.slice(Number(offset)), log)) socket.send(event);
        return socket.send(`40{"sid":"y","pid":"${pid}"}`);
      }
      if (text.startsWith('40')) return socket.send(`40{"sid":"y","pid":"p${++sessions}"}`);
      const [, id, event, rest] = /^42(\d*)\["(sub|pub)",(.*)\]$/.exec(text)!;
      if (event === 'sub') rooms.add(socket);
      else {
        log.push(`42["m",${rest},"${String(log.length + 1).padStart(4, '0')}"]`);
        for (const other of rooms) other.send(log.at(-1)!);
      }
      socket.send(`43${id}[]`);
    });
  });
  await once(server, 'listening');
  const load = new LoadGenerator('socket.io', (server.address() as AddressInfo).port, process.pid);
  closings.push(
    () => {
      for (const socket of server.clients) socket.terminate();
      server.close();
    },
    () => load.kill(),
  );
  return load;
}

/** Three subscribers, dropped after one message; they come back after five more. */
async function dropOnce(load: LoadGenerator, ms = 10_000): Promise<Returned> {
  await load.open(0, { role: 'sub', count: 3, counted: false });
  await load.open(1, { role: 'pub', count: 1 });
  await load.send(1, { window: 1, limit: 1, ack: true });
  await load.finish();
  await load.complete(0);
  await load.drop(0);
  await load.send(1, { window: 1, limit: 6, ack: true });
  await load.finish();
  return load.comeBack(0, true, ms);
}

const clean = { ready: 3, attempts: 3, refusals: 0, broken: 0, relapsed: 0, anew: 0, lost: 0, doubled: 0, disordered: 0, late: 0 };

describe.skipIf(!isPossible)('A storm', () => {
  test('counts everybody who is back with what was missed', async () => {
    expect(await dropOnce(await serve((missed) => missed))).toMatchObject({ ...clean, back: 3 });
  });

  test.each<[string, Replays, Partial<Returned>]>([
    ['a lost message', ([first, , ...others]) => [first!, ...others], { back: 0, lost: 3 }],
    ['a doubled one', ([first, ...others]) => [first!, first!, ...others], { back: 3, doubled: 3 }],
    ['one out of order', ([first, second, ...others]) => [second!, first!, ...others], { back: 3, disordered: 3 }],
    ['one of before', (missed, [before]) => [before!, ...missed], { back: 3, doubled: 3 }],
  ])('finds out %s', async (_what, replays, found) => {
    expect(await dropOnce(await serve(replays), 500)).toMatchObject({ ...clean, ...found });
  });

  test('tries again after HTTP 503', async () => {
    // The first three subscribers and the publisher come in, the next two attempts do not.
    expect(await dropOnce(await serve((missed) => missed, 4))).toMatchObject({ ...clean, back: 3, attempts: 5, refusals: 2 });
  });

  test('is survived by this server and by Socket.IO, with few connections', async () => {
    const contenders = STORM_CONTENDERS.filter(({ name }) => name !== 'holdfast-limits');
    const rows = await measureStorm(contenders, { connections: [20], rounds: 2, roundMs: 20_000 }, () => {});
    expect(rows.map(({ contender, mode }) => `${contender} ${mode}`)).toEqual([
      'holdfast at-once',
      'socket.io at-once',
      'holdfast spread',
      'socket.io spread',
    ]);
    for (const { rounds } of rows)
      expect(rounds.map(({ back, lost, doubled }) => [back, lost, doubled])).toEqual([
        [20, 0, 0],
        [20, 0, 0],
      ]);
    expect(stormFailures(rows)).toEqual([]);
    expect(stormTable(rows).split('\n')).toHaveLength(2 + rows.length);
  }, 30_000);
});

function rowOf(rounds: readonly Partial<StormRound>[], isOurs = true): StormRow {
  const memory = { residentBytes: 1, heldBytes: 1 };
  const right = { ready: 100, back: 100, lost: 0, doubled: 0, disordered: 0, late: 0, ...memory };
  const full = rounds.map((round) => ({ ...right, ...round }) as StormRound);
  return { contender: 'x', title: 'X', version: '1', isOurs, mode: 'spread', connections: 100, missed: 5, before: memory, rounds: full };
}

describe('The verdict', () => {
  test('names who is not back, and what was lost or came twice, of ours alone', () => {
    const rounds = [{}, { back: 99, lost: 2 }, { doubled: 1 }];
    expect(stormFailures([rowOf(rounds), rowOf(rounds, false)])).toEqual([
      'x, 100 connections, spread, round 2: 1 not back with everything, 2 lost',
      'x, 100 connections, spread, round 3: 1 doubled',
    ]);
  });

  test('names memory that grows with every round, and lets a warm-up and noise pass', () => {
    const growing = rowOf([0, 1, 2, 3, 4].map((round) => ({ heldBytes: round * (GROWTH_BYTES_MAX + 1) * 100 })));
    expect(stormFailures([growing])[0]).toMatch(/memory grows by 101 bytes/);
    const noisy = rowOf([0, 9_000_000, 9_004_000, 9_000_000, 9_001_000].map((heldBytes) => ({ heldBytes })));
    expect(stormFailures([noisy])).toEqual([]);
    expect(growthOf(rowOf([{}, {}]))).toBeUndefined();
    expect(slope([1, 3, 5])).toBe(2);
  });

  test('a plan refuses numbers that cannot be', () => {
    expect(planOf({ connections: '10,20', rounds: 3, quick: false })).toMatchObject({ connections: [10, 20], rounds: 3 });
    expect(() => planOf({ connections: '10,x', rounds: 3, quick: false })).toThrow(/--connections/);
    expect(() => planOf({ connections: '20000', rounds: 3, quick: false })).toThrow(/19000/);
    expect(() => planOf({ connections: '10', rounds: 0, quick: false })).toThrow(/--rounds/);
  });
});
