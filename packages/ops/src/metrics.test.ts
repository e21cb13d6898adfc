import { createHub, createMemoryStore, LIMIT_NAMES, type Hub } from '@holdfast/server';
import { ERROR_CODES } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { METRICS } from './metric-table.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { observeStore, type ObservedStore } from './observed-store.ts';
import { Peer, settled } from './peer.testing.ts';

let store: ObservedStore;
let hub: Hub;
let metrics: Metrics;

beforeEach(() => {
  store = observeStore(createMemoryStore());
  hub = createHub({ store, maintainIntervalMs: 0, onError: () => undefined, limits: { connectionRequestsPerSecond: 1, burstMs: 1 } });
  metrics = createMetrics({ hub, store, defaultMetrics: false, version: '1.2.3', tls: () => ({ expiresAtMs: 1_800_000_000_000 }) });
});

afterEach(() => hub.close());

/** Every series by its name and labels. */
async function series(of: Metrics = metrics): Promise<Map<string, number>> {
  const lines = (await of.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1).replace('+Inf', 'Infinity'))]),
  );
}

async function connect(client: string, subscribe: object[] = []): Promise<Peer> {
  const peer = new Peer(hub);
  peer.say({ type: 'hello', client, token: 'alice', subscribe });
  await settled();
  return peer;
}

test('every row of the table is shown, with its type and its help, and nothing else', async () => {
  const text = await metrics.text();
  const types = new Map([...text.matchAll(/^# TYPE holdfast_(\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  expect(Object.fromEntries(types)).toEqual(Object.fromEntries(Object.entries(METRICS).map(([name, { type }]) => [name, type])));
  for (const [name, { help }] of Object.entries(METRICS)) expect(text).toContain(`# HELP holdfast_${name} ${help}\n`);
  expect(metrics.contentType).toContain('version=0.0.4');
});

test('names follow the conventions of Prometheus, labels those of the table', async () => {
  for (const [name, { type, labels }] of Object.entries(METRICS)) {
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
    expect([name, /_(ms|milliseconds|kb|mb)(_|$)/.test(name)]).toEqual([name, false]);
    const shown = [...(await series()).keys()].filter((one) => one.startsWith(`holdfast_${name}{`) || one === `holdfast_${name}`);
    const used = new Set(shown.flatMap((one) => [...one.matchAll(/[{,](\w+)="/g)].map(([, label]) => label)));
    if (type !== 'histogram') expect([name, [...used]]).toEqual([name, [...labels]]);
  }
});

test('each limit and each code is there from the beginning, at 0', async () => {
  const all = await series();
  for (const limit of LIMIT_NAMES) {
    expect(all.get(`holdfast_limit_reached_total{limit="${limit}"}`)).toBe(0);
    expect(all.get(`holdfast_limit{limit="${limit}"}`)).toBeGreaterThan(0);
  }
  for (const code of Object.keys(ERROR_CODES)) expect(all.get(`holdfast_errors_total{code="${code}"}`)).toBe(0);
  expect(all.get('holdfast_store_commit_failures_total{code="STORE_READ_ONLY"}')).toBe(0);
});

describe('what happens is counted', () => {
  test('connections, frames, entries, repeated publishes, errors, limits', async () => {
    const peer = await connect('tab', [{ id: 1, topic: 'secret-topic' }]);
    new Peer(hub);
    const publish = { type: 'publish', topic: 'secret-topic', producer: 'p', seq: 1, data: 'x' };
    peer.say(publish);
    peer.say(publish);
    for (const id of [1, 2]) peer.say({ type: 'read', id, topic: 'secret-topic', after: 0 });
    await settled();
    const all = await series();
    expect(
      Object.fromEntries(
        [...all].filter(([name, value]) => value > 0 && !/_bucket|_sum|limit=".*Max|Second"|Ms"|seconds|memory|bytes/.test(name)),
      ),
    ).toEqual({
      'holdfast_connections{state="pending"}': 1,
      'holdfast_connections{state="welcomed"}': 1,
      holdfast_connections_opened_total: 2,
      holdfast_subscriptions: 1,
      holdfast_topics_loaded: 1,
      holdfast_received_frames_total: 5,
      holdfast_sent_frames_total: peer.sent.length,
      holdfast_entries_published_total: 1,
      holdfast_publishes_repeated_total: 1,
      'holdfast_errors_total{code="RATE_LIMITED"}': 1,
      holdfast_accounts: 2,
      holdfast_store_commit_publishes_count: 2,
      [`holdfast_build_info{version="1.2.3",node="${process.version}"}`]: 1,
    });
    expect(all.get('holdfast_limit_reached_total{limit="connectionRequestsPerSecond"}')).toBe(1);
    expect(all.get('holdfast_received_bytes_total')).toBeGreaterThan(100);
    expect(await metrics.text()).not.toMatch(/secret-topic|alice|192\.0\.2\.1/);
  });

  test('closes by code; what a client invents is one series, whatever it invents', async () => {
    for (const code of [1000, 1000, 4500, 4501, 3000, 999]) (await connect(`tab${code}`)).leave(code);
    const all = await series();
    const closed = [...all].filter(([name, value]) => name.startsWith('holdfast_connections_closed_total') && value > 0);
    expect(Object.fromEntries(closed)).toEqual({
      'holdfast_connections_closed_total{code="1000"}': 2,
      'holdfast_connections_closed_total{code="other"}': 4,
    });
  });

  test('commits and reads of the store, its failures by code', async () => {
    await Promise.all([1, 2, 3].map((data) => hub.publish('t', data)));
    await store.read('t', { after: 0 }, { countMax: 1, bytesMax: 1 });
    const before = await series();
    expect(before.get('holdfast_store_commit_publishes_sum')).toBe(3);
    expect(before.get('holdfast_store_commit_duration_seconds_count')).toBe(before.get('holdfast_store_commit_publishes_count'));
    expect(before.get('holdfast_store_read_duration_seconds_count')).toBe(1);
    await store.close();
    await expect(hub.publish('t', 4)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect((await series()).get('holdfast_store_commit_failures_total{code="STORE_UNAVAILABLE"}')).toBe(1);
  });

  test('a scrape does not add up what was there at the one before', async () => {
    await hub.publish('t', 1);
    await series();
    expect((await series()).get('holdfast_entries_published_total')).toBe(1);
  });

  test('the end of the certificate, and the going away', async () => {
    expect((await series()).get('holdfast_tls_certificate_expiry_timestamp_seconds')).toBe(1_800_000_000);
    expect((await series()).get('holdfast_draining')).toBe(0);
    await hub.close();
    expect((await series()).get('holdfast_draining')).toBe(1);
  });
});

test('without TLS, without a store, with another prefix, with those of the process', async () => {
  const bare = await series(createMetrics({ hub, prefix: 'rt_' }));
  const names = [...bare.keys()];
  expect(names.filter((name) => /certificate|store|holdfast/.test(name))).toEqual([]);
  expect(names).toEqual(expect.arrayContaining(['rt_subscriptions', 'process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']));
});
