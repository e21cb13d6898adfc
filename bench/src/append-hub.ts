/** Durable appends through the hub, sequencer and store, without sockets: 200 bytes of JSON over many topics. */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createHub, type TopicStore } from '@holdfast/server';

export interface HubLoad {
  readonly store: TopicStore;
  readonly topics: number;
  /** Publishes unanswered at any time. */
  readonly inFlight: number;
  readonly durationMs: number;
}

export interface HubFigures {
  readonly appendsPerSecond: number;
  /** Of the whole process, all threads. */
  readonly cpuMicrosPerAppend: number;
  /** How late the event loop was, 99th percentile, ms. */
  readonly loopDelayP99Ms: number;
}

/** A JSON text of 200 bytes, quotes included. */
export function payload200(counter: number): { readonly n: number; readonly text: string } {
  const head = JSON.stringify({ n: counter, text: '' }).length;
  return { n: counter, text: 'x'.repeat(200 - head) };
}

/** Keeps `inFlight` publishes under way until the time is over. */
export async function measureHub({ store, topics, inFlight, durationMs }: HubLoad): Promise<HubFigures> {
  const hub = createHub({ store, maintainIntervalMs: 0 });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let counter = 0;
  let acknowledged = 0;
  const run = async (untilMs: number): Promise<void> => {
    while (performance.now() < untilMs) {
      counter += 1;
      await hub.publish(`bench/${counter % topics}`, payload200(counter));
      acknowledged += 1;
    }
  };
  const runAll = (ms: number): Promise<unknown> => {
    const untilMs = performance.now() + ms;
    return Promise.all(Array.from({ length: inFlight }, () => run(untilMs)));
  };
  await runAll(Math.min(1_000, durationMs / 3));
  acknowledged = 0;
  const startedMs = performance.now();
  const cpuBefore = process.cpuUsage();
  delay.enable();
  await runAll(durationMs);
  delay.disable();
  const { user, system } = process.cpuUsage(cpuBefore);
  const seconds = (performance.now() - startedMs) / 1_000;
  await hub.close();
  return {
    appendsPerSecond: acknowledged / seconds,
    cpuMicrosPerAppend: (user + system) / acknowledged,
    loopDelayP99Ms: delay.percentile(99) / 1e6,
  };
}
