/**
 * Appends per second of the store by itself, without sequencer and sockets: what the disk and SQLite give. 200 bytes of
 * JSON per entry, over 1,000 topics in turn, one producer in each. A closed loop: as many publishes as are in flight make
 * the next batch as soon as the last one is durable, as the sequencer would hand them in.
 */

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch, DecidedPublish, TopicStore } from '@holdfast/server';
import { createSqliteStore, type SqliteStoreOptions } from '@holdfast/store-sqlite';

export interface AppendStoreOptions {
  /** Publishes in flight, one measurement each. Default 1, 64, 1,024 and 8,192. */
  readonly inFlight?: readonly number[];
  /** How long each measurement lasts, ms, after a tenth of it to warm up. Default 3,000. */
  readonly durationMs?: number;
  readonly topicCount?: number;
  readonly payloadBytes?: number;
  /** Where to put the file. Default: the system's temporary folder. Emptied by the caller's own means only. */
  readonly parentDirectory?: string;
  readonly store?: Pick<SqliteStoreOptions, 'driver' | 'synchronous' | 'commitDelayMs'>;
}

export interface AppendStoreRow {
  readonly inFlight: number;
  readonly appendsPerSecond: number;
  /** Of one batch, from handing it in until it is durable. */
  readonly commitMsP50: number;
  readonly commitMsP99: number;
  /** Of the whole process, all threads. */
  readonly cpuMicrosPerAppend: number;
  /** File and write-ahead log at the end, per byte of payload. */
  readonly diskBytesPerPayloadByte: number;
}

export interface AppendStoreResult {
  readonly driver: string;
  readonly sqliteVersion: string;
  readonly payloadBytes: number;
  readonly topicCount: number;
  readonly rows: readonly AppendStoreRow[];
}

/** Measures appends on a new store for each number in flight; removes what it made. */
export async function measureStoreAppends(options: AppendStoreOptions = {}): Promise<AppendStoreResult> {
  const { inFlight = [1, 64, 1024, 8192], durationMs = 3000, topicCount = 1000, payloadBytes = 200 } = options;
  const rows: AppendStoreRow[] = [];
  let library = { driver: '', sqliteVersion: '' };
  for (const count of inFlight) {
    const directory = await mkdtemp(join(options.parentDirectory ?? tmpdir(), 'holdfast-append-'));
    try {
      const store = await createSqliteStore({ directory, ...options.store });
      library = { driver: store.driver, sqliteVersion: store.sqliteVersion };
      const source = new Appends(topicCount, payloadBytes);
      await store.apply(source.foundAll());
      await run(store, source, count, durationMs / 10);
      const measured = await run(store, source, count, durationMs);
      const bytes = (await stat(store.path)).size + (await stat(`${store.path}-wal`)).size;
      await store.close();
      rows.push({ inFlight: count, ...measured, diskBytesPerPayloadByte: bytes / (source.count * payloadBytes) });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
  return { ...library, payloadBytes, topicCount, rows };
}

async function run(
  store: TopicStore,
  source: Appends,
  count: number,
  durationMs: number,
): Promise<Omit<AppendStoreRow, 'inFlight' | 'diskBytesPerPayloadByte'>> {
  const commitsMs: number[] = [];
  const cpu = process.cpuUsage();
  const begun = performance.now();
  let appended = 0;
  let now = begun;
  while (now - begun < durationMs) {
    const batch = source.take(count);
    const handedIn = performance.now();
    await store.apply(batch);
    now = performance.now();
    commitsMs.push(now - handedIn);
    appended += count;
  }
  const { user, system } = process.cpuUsage(cpu);
  commitsMs.sort((one, other) => one - other);
  const quantile = (share: number): number => commitsMs[Math.min(commitsMs.length - 1, Math.floor(commitsMs.length * share))]!;
  return {
    appendsPerSecond: appended / ((now - begun) / 1000),
    commitMsP50: quantile(0.5),
    commitMsP99: quantile(0.99),
    cpuMicrosPerAppend: (user + system) / appended,
  };
}

/** Dense publishes over topics in turn. */
class Appends {
  readonly #topics: readonly string[];
  readonly #lasts: Uint32Array;
  readonly #payload: string;
  #next = 0;
  count = 0;

  constructor(topicCount: number, payloadBytes: number) {
    this.#topics = Array.from({ length: topicCount }, (_, index) => `bench/${index}`);
    this.#lasts = new Uint32Array(topicCount);
    const frame = JSON.stringify({ text: '' });
    this.#payload = JSON.stringify({ text: 'x'.repeat(payloadBytes - frame.length) });
  }

  foundAll(): Batch {
    return { found: this.#topics.map((topic) => ({ topic, epoch: 'bench' })), publishes: [], registers: [] };
  }

  take(count: number): Batch {
    return { found: [], publishes: Array.from({ length: count }, () => this.#publish()), registers: [] };
  }

  #publish(): DecidedPublish {
    const index = this.#next;
    this.#next = (index + 1) % this.#topics.length;
    this.#lasts[index]! += 1;
    this.count += 1;
    const last = this.#lasts[index]!;
    return {
      topic: this.#topics[index]!,
      subject: `user-${index}`,
      producer: `producer-${index}`,
      seq: last,
      digest: `digest-of-${last}`,
      at: Date.now(),
      outcome: { kind: 'accepted', offset: last, count: 1 },
      payloads: [this.#payload],
    };
  }
}
