import { createServer, type RequestListener, type Server } from 'node:http';
import { createHub, createMemoryStore, type Hub, type TopicStore } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHealth, type Health } from './health.ts';
import { createOperationsHandler } from './operations-handler.ts';

let store: TopicStore & { error: Error | undefined; isStuck: boolean; applied: number };
let hub: Hub;
let memoryBytes: number;
let nowMs: number;
let timers: { readonly task: () => void; readonly delayMs: number }[];

const clock = {
  now: () => nowMs,
  setTimeout: (task: () => void, delayMs: number) => {
    const timer = { task, delayMs };
    timers.push(timer);
    return timer;
  },
  clearTimeout: (timer: unknown) => void (timers = timers.filter((one) => one !== timer)),
  defer: (task: () => void) => void setImmediate(task),
};

beforeEach(() => {
  memoryBytes = 0;
  nowMs = 1_700_000_000_000;
  timers = [];
  const inner = createMemoryStore();
  store = Object.assign(Object.create(inner) as TopicStore, { error: undefined, isStuck: false, applied: 0 });
  for (const name of ['head', 'read', 'outcomes', 'registers', 'topics', 'close'] as const)
    Object.assign(store, { [name]: inner[name].bind(inner) });
  store.apply = (batch) => {
    store.applied += 1;
    if (store.isStuck) return new Promise(() => undefined);
    return store.error === undefined ? inner.apply(batch) : Promise.reject(store.error);
  };
  hub = createHub({
    store,
    clock,
    maintainIntervalMs: 0,
    memory: () => memoryBytes,
    limits: { memoryBytesMax: 1_048_576 },
    onError: () => undefined,
  });
});

function health(options: Partial<Parameters<typeof createHealth>[0]> = {}): Health {
  return createHealth({ hub, clock, startedAtMs: nowMs - 5_000, version: '1.2.3', ...options });
}

async function reasons(of: Health): Promise<string[]> {
  const { status, reasons: found } = await of.ready();
  expect(status).toBe(found.length === 0 ? 'ready' : 'unavailable');
  return found.map(({ check, code }) => `${check} ${code}`);
}

describe('live', () => {
  test('says so, whatever else is wrong', async () => {
    store.error = new Error('no disk');
    void hub.close();
    expect(health().live()).toEqual({ status: 'ok', version: '1.2.3', uptimeMs: 5_000 });
  });
});

describe('ready', () => {
  test('when the store writes, there is memory, and the hub stays', async () => {
    const of = health();
    expect(await reasons(of)).toEqual([]);
    expect([store.applied > 0, timers]).toEqual([true, []]);
  });

  test('not while the store cannot write; again when it can, without anybody publishing', async () => {
    const of = health();
    store.error = new HoldfastError('STORE_READ_ONLY', 'disk full: /srv/secret/holdfast.db');
    expect(await of.ready()).toEqual({
      status: 'unavailable',
      reasons: [{ check: 'store', code: 'STORE_READ_ONLY', message: 'The store cannot write: its disk is full or read-only.' }],
    });
    store.error = undefined;
    nowMs += 1_000;
    expect(await reasons(of)).toEqual([]);
  });

  test('not when the store does not answer in time; and it is asked once, not once for each question', async () => {
    const of = health();
    expect(await reasons(of)).toEqual([]);
    const before = store.applied;
    store.isStuck = true;
    nowMs += 1_000;
    for (let at = 0; at < 3; at++) {
      const asking = reasons(of);
      await new Promise((resolve) => void setImmediate(resolve));
      expect(timers.map(({ delayMs }) => delayMs)).toEqual([2_000]);
      timers.shift()!.task();
      expect(await asking).toEqual(['store OVERLOADED']);
    }
    expect(store.applied).toBe(before + 1);
  });

  test('an answer of the store stands for a second, a clock set back or not', async () => {
    const of = health();
    await of.ready();
    const before = store.applied;
    await Promise.all(Array.from({ length: 100 }, () => of.ready()));
    expect(store.applied).toBe(before);
    nowMs += 1_000;
    await of.ready();
    nowMs -= 3_600_000;
    await of.ready();
    expect(store.applied).toBe(before + 2);
  });

  test('a thousand probes leave one row', async () => {
    const of = health();
    for (let at = 0; at < 20; at++) {
      await of.ready();
      nowMs += 1_000;
    }
    expect(await store.registers('holdfast/health', 0)).toHaveLength(1);
    expect(await store.head('holdfast/health')).toMatchObject({ last: 0 });
  });

  test('not without memory', async () => {
    const of = health();
    memoryBytes = 1_048_576;
    expect(await reasons(of)).toEqual(['memory OVERLOADED']);
    memoryBytes = 1_048_575;
    nowMs += 1_000;
    expect(await reasons(of)).toEqual([]);
  });

  test('not while the hub goes away, and the store is not asked then', async () => {
    const of = health();
    const closing = hub.close();
    const before = store.applied;
    expect(await reasons(of)).toEqual(['draining GOING_AWAY']);
    expect(store.applied).toBe(before);
    await closing;
  });

  test('not when a check of the application says no, and its words are not shown', async () => {
    const of = health({
      checks: {
        users: () => Promise.reject(new Error('postgres://user:password@db')),
        cache: () => {
          throw new HoldfastError('OVERLOADED', 'secret');
        },
        fine: () => undefined,
      },
    });
    expect(await of.ready()).toMatchObject({
      reasons: [
        { check: 'users', code: 'INTERNAL', message: 'The server failed at this request.' },
        { check: 'cache', code: 'OVERLOADED' },
      ],
    });
    expect(JSON.stringify(await of.ready())).not.toMatch(/postgres|secret/);
  });
});

describe('over HTTP', () => {
  let server: Server;
  const TOKEN = 'metrics-token-0123456789';
  const metrics = { contentType: 'text/plain; version=0.0.4', text: () => Promise.resolve('up 1\n') };

  async function serve(listener: RequestListener): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
    server = createServer(listener);
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { readonly port: number };
    return (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init);
  }

  afterEach(async () => {
    if (!server?.listening) return;
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  });

  test('/health and /ready are open, /metrics wants its token', async () => {
    const ask = await serve(createOperationsHandler({ health: health(), metrics, token: TOKEN }));
    const healthy = await ask('/health?x=1');
    expect([healthy.status, healthy.headers.get('cache-control'), await healthy.json()]).toEqual([200, 'no-store', health().live()]);
    const ready = await ask('/ready');
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready', reasons: [] }]);
    const given = ['', TOKEN, `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Basic ${TOKEN}`, `bearer  ${TOKEN}`, `Bearer ${TOKEN}`];
    const answers = await Promise.all(
      given.map((authorization) => ask('/metrics', { headers: authorization === '' ? {} : { authorization } })),
    );
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 200, 200]);
    expect([answers[0]!.headers.get('www-authenticate'), await answers[6]!.text(), answers[6]!.headers.get('content-type')]).toEqual([
      'Bearer',
      'up 1\n',
      metrics.contentType,
    ]);
  });

  test('without a token /metrics is open, without metrics there are none; other paths and methods', async () => {
    const ask = await serve(createOperationsHandler({ health: health(), metrics }));
    const asked = await Promise.all([
      ask('/metrics'),
      ask('/other'),
      ask('/health', { method: 'POST' }),
      ask('/health', { method: 'HEAD' }),
      ask('/constructor'),
    ]);
    expect(asked.map(({ status }) => status)).toEqual([200, 404, 405, 200, 404]);
    expect([asked[2]!.headers.get('allow'), await asked[3]!.text()]).toEqual(['GET, HEAD', '']);
    await new Promise((resolve) => server.close(resolve).closeAllConnections());
    const bare = await serve(createOperationsHandler({ health: health() }));
    expect((await bare('/metrics')).status).toBe(404);
  });

  test('503 with the reasons while not ready; 500 for metrics that fail', async () => {
    store.error = new HoldfastError('STORE_READ_ONLY');
    const broken = { ...metrics, text: () => Promise.reject(new Error('secret')) };
    const ask = await serve(createOperationsHandler({ health: health(), metrics: broken }));
    const [ready, failed] = [await ask('/ready'), await ask('/metrics')];
    expect([ready.status, await ready.json()]).toMatchObject([
      503,
      { status: 'unavailable', reasons: [{ check: 'store', code: 'STORE_READ_ONLY' }] },
    ]);
    expect([failed.status, await failed.json()]).toEqual([500, { code: 'INTERNAL' }]);
  });

  test('beside other requests', async () => {
    const operations = createOperationsHandler({ health: health() });
    const ask = await serve((request, response) => operations(request, response, () => response.end('mine')));
    expect([await (await ask('/other')).text(), (await ask('/health')).status]).toEqual(['mine', 200]);
  });

  test('a token that is too short to be one is refused at once', () => {
    expect(() => createOperationsHandler({ health: health(), metrics, token: 'short' })).toThrow(/16 or more/);
  });
});
