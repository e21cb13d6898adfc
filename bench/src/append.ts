/** `npm run bench -- append`: durable appends per second, and how long an acknowledgement takes. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteStore } from '@holdfast/store-sqlite';
import { measureFsync } from './append-fsync.ts';
import { measureHub, type HubFigures } from './append-hub.ts';
import { measurePath } from './append-path.ts';
import { measureStoreAppends } from './append-store.ts';
import { median } from './percentile.ts';

/** One figure: the median of the rounds, with the smallest and the largest. */
export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface AppendRow {
  readonly name: string;
  readonly unit: string;
  readonly figure: Figure;
}

const TOPICS = 1_000;

/** Runs every measure `rounds` times, interleaved, each in a fresh folder. */
export async function benchAppend(rounds: number, durationMs: number, progress: (line: string) => void): Promise<AppendRow[]> {
  const samples = new Map<string, { unit: string; values: number[] }>();
  const record = (name: string, unit: string, value: number): void => {
    const sample = samples.get(name) ?? { unit, values: [] };
    sample.values.push(value);
    samples.set(name, sample);
  };
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}`);
    await inFolder(async (folder) =>
      record('a bare file, one fsync per append', 'appends/s', measureFsync(join(folder, 'bare'), durationMs)),
    );
    const throughHub = (inFlight: number, commitDelayMs = 0): Promise<HubFigures> =>
      inFolder(async (directory) => {
        const store = await createSqliteStore({ directory, commitDelayMs });
        const figures = await measureHub({ store, topics: TOPICS, inFlight, durationMs });
        await store.close();
        return figures;
      });
    for (const { inFlight, appendsPerSecond, cpuMicrosPerAppend } of (
      await measureStoreAppends({ inFlight: [1, 64, 1_024, 4_096], durationMs, topicCount: TOPICS })
    ).rows) {
      const name = `store alone, ${inFlight.toLocaleString('en')} in flight`;
      record(name, 'appends/s', appendsPerSecond);
      if (inFlight > 1) record(`${name}: CPU of all threads`, 'µs/append', cpuMicrosPerAppend);
    }
    record('hub and store, 1 in flight', 'appends/s', (await throughHub(1)).appendsPerSecond);
    record('hub and store, 64 in flight', 'appends/s', (await throughHub(64)).appendsPerSecond);
    for (const inFlight of [1_024, 4_096]) {
      const name = `hub and store, ${inFlight.toLocaleString('en')} in flight`;
      const full = await throughHub(inFlight);
      record(name, 'appends/s', full.appendsPerSecond);
      record(`${name}: CPU of all threads`, 'µs/append', full.cpuMicrosPerAppend);
    }
    const slow = await throughHub(64, 5);
    record('disk made 5 ms slow, 64 in flight', 'appends/s', slow.appendsPerSecond);
    record('disk made 5 ms slow, event loop delay p99', 'ms', slow.loopDelayP99Ms);
    for (const [clients, inFlight] of [
      [1, 1],
      [1, 64],
      [16, 64],
    ] as const) {
      const name = `whole path, ${clients} client${clients === 1 ? '' : 's'}, ${inFlight} in flight each`;
      const figures = await inFolder((directory) => measurePath({ directory, clients, inFlight, topics: TOPICS, durationMs }));
      record(name, 'appends/s', figures.appendsPerSecond);
      record(`${name}: acknowledged after, p50`, 'ms', figures.p50Ms);
      record(`${name}: acknowledged after, p99`, 'ms', figures.p99Ms);
    }
  }
  return [...samples].map(([name, { unit, values }]) => ({
    name,
    unit,
    figure: { median: median(values), min: Math.min(...values), max: Math.max(...values) },
  }));
}

async function inFolder<Result>(task: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  try {
    return await task(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
