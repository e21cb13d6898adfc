/**
 * What a hub has counted and how it stands, in the text format of Prometheus (version 0.0.4). Everything is read when it is
 * asked for; only the store's times are noted as they pass. Names and meanings are those of `metric-table.ts`.
 */

import type { Hub, TlsStatus } from '@holdfast/server';
import { LIMIT_NAMES } from '@holdfast/server';
import { CLOSE_CODES, ERROR_CODES, HoldfastError } from '@holdfast/wire';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { METRICS, type HubMetricName, type StoreMetricName } from './metric-table.ts';
import type { ObservedStore } from './observed-store.ts';

export interface MetricsOptions {
  readonly hub: Hub;
  /** The store that the hub was given, observed: for its times. Default: none are shown. */
  readonly store?: ObservedStore;
  /** Default `holdfast_`. */
  readonly prefix?: string;
  /** Whether those of the process are shown too: CPU, memory, event loop, garbage collection. Default true. */
  readonly defaultMetrics?: boolean;
  /** Of a server with TLS, asked each time: `() => server.tls`. */
  readonly tls?: () => TlsStatus | undefined;
  /** Of the server. Default `unknown`. */
  readonly version?: string;
}

export interface Metrics {
  /** For metrics of your own. */
  readonly registry: Registry;
  /** Of what `text` gives. */
  readonly contentType: string;
  /** All metrics at this moment. */
  text(): Promise<string>;
}

/** Close codes of RFC 6455 that a server or a browser gives by itself; any other is the client's own invention. */
const USUAL_CLOSES = [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013];
const KNOWN_CLOSES: ReadonlySet<number> = new Set([...USUAL_CLOSES, ...Object.values(CLOSE_CODES).map(({ code }) => code)]);

/** Where the value of one series goes. */
type Put = (value: number, labels?: Readonly<Record<string, string>>) => void;

/** Metrics of a hub, in a registry of their own. Throws prom-client's error for a prefix that no name may begin with. */
export function createMetrics({
  hub,
  store,
  prefix = 'holdfast_',
  defaultMetrics = true,
  tls,
  version = 'unknown',
}: MetricsOptions): Metrics {
  const registry = new Registry();
  if (defaultMetrics) collectDefaultMetrics({ register: registry });
  const read = readingsOf(hub, tls, version);
  for (const name of Object.keys(read) as HubMetricName[]) addReading(registry, prefix, name, read[name]);
  if (store !== undefined) observe(store, registry, prefix);
  return { registry, contentType: registry.contentType, text: () => registry.metrics() };
}

/** How each metric is read. */
function readingsOf(hub: Hub, tls: MetricsOptions['tls'], version: string): Record<HubMetricName, (put: Put) => void> {
  const { counters, services } = hub;
  const stats = onceATurn(() => hub.stats());
  return {
    connections: (put) => {
      const { connections, pendingConnections } = stats();
      put(pendingConnections, { state: 'pending' });
      put(connections - pendingConnections, { state: 'welcomed' });
    },
    connections_opened_total: (put) => put(counters.connectionsOpened),
    connections_closed_total: (put) => {
      const closed = new Map<string, number>([...KNOWN_CLOSES, 'other'].map((code) => [String(code), 0]));
      for (const [code, count] of counters.closed) {
        const label = KNOWN_CLOSES.has(code) ? String(code) : 'other';
        closed.set(label, closed.get(label)! + count);
      }
      for (const [code, count] of closed) put(count, { code });
    },
    slow_connections: (put) => put(stats().slowConnections),
    subscriptions: (put) => put(stats().subscriptions),
    members: (put) => put(stats().members),
    topics_loaded: (put) => put(stats().topics),
    received_frames_total: (put) => put(counters.framesReceived),
    sent_frames_total: (put) => put(counters.framesSent),
    received_bytes_total: (put) => put(counters.bytesReceived),
    sent_bytes_total: (put) => put(counters.bytesSent),
    entries_published_total: (put) => put(counters.entriesPublished),
    publishes_repeated_total: (put) => put(counters.publishesRepeated),
    unanswered_publishes: (put) => put(stats().unansweredPublishes),
    unanswered_publish_bytes: (put) => put(stats().unansweredBytes),
    waiting_reads: (put) => put(stats().waitingReads),
    errors_total: (put) => {
      for (const code of Object.keys(ERROR_CODES) as (keyof typeof ERROR_CODES)[]) put(counters.errors.get(code) ?? 0, { code });
    },
    limit_reached_total: (put) => {
      for (const limit of LIMIT_NAMES) put(counters.limits.get(limit) ?? 0, { limit });
    },
    limit: (put) => {
      for (const [limit, value] of Object.entries({ ...services.limits, ...services.nodeLimits })) put(value, { limit });
    },
    accounts: (put) => put(stats().accounts),
    memory_bytes: (put) => put(stats().memoryBytes),
    draining: (put) => put(hub.goingAway === undefined ? 0 : 1),
    tls_certificate_expiry_timestamp_seconds: (put) => {
      const status = tls?.();
      if (status !== undefined) put(status.expiresAtMs / 1_000);
    },
    build_info: (put) => put(1, { version, node: process.version }),
  };
}

/** The same value for all who ask in one turn: the stats go through all connections. */
function onceATurn<Value extends object>(read: () => Value): () => Value {
  let value: Value | undefined;
  return () => {
    if (value === undefined) queueMicrotask(() => (value = undefined));
    return (value ??= read());
  };
}

function addReading(registry: Registry, prefix: string, name: HubMetricName, read: (put: Put) => void): void {
  const { type, labels, help } = METRICS[name];
  const options = { name: `${prefix}${name}`, help, labelNames: [...labels], registers: [registry] };
  if (type === 'counter') {
    const counter: Counter = new Counter({
      ...options,
      collect: () => {
        // The sums are the hub's; a counter here can only be increased.
        counter.reset();
        read((value, given = {}) => counter.inc(given, value));
      },
    });
  } else {
    const gauge: Gauge = new Gauge({
      ...options,
      collect: () => {
        // What is not put this time is absent, and not 0.
        if (labels.length === 0) gauge.remove();
        else gauge.reset();
        read((value, given = {}) => gauge.set(given, value));
      },
    });
  }
}

/** Notes the times of a store. */
function observe(store: ObservedStore, registry: Registry, prefix: string): void {
  const registers = [registry];
  const histogram = (name: StoreMetricName): Histogram => {
    const { help, buckets = [] } = METRICS[name];
    return new Histogram({ name: `${prefix}${name}`, help, buckets: [...buckets], registers });
  };
  const duration = histogram('store_commit_duration_seconds');
  const publishes = histogram('store_commit_publishes');
  const reading = histogram('store_read_duration_seconds');
  const { help } = METRICS.store_commit_failures_total;
  const failures = new Counter({ name: `${prefix}store_commit_failures_total`, help, labelNames: ['code'], registers });
  for (const [code, { source }] of Object.entries(ERROR_CODES)) if (source === 'store') failures.inc({ code }, 0);
  store.observe({
    onCommit: (commit) => {
      if ('error' in commit) return failures.inc({ code: commit.error instanceof HoldfastError ? commit.error.code : 'INTERNAL' });
      duration.observe(commit.durationMs / 1_000);
      publishes.observe(commit.publishes);
    },
    onRead: ({ durationMs }) => reading.observe(durationMs / 1_000),
  });
}
