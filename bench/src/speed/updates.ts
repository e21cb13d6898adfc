/** One update a second for everybody: a WebSocket, and what was there before. */

import { P50, P99, scaled, type Metric, type Run, type Sample, type Scenario } from './scenario.ts';

const READERS = 0;
const WRITER = 1;

/** How often who polls does (http.c), ms. */
const POLL_MS = 1_000;

const METRICS: readonly Metric[] = [
  { name: 'bytes', title: 'bytes per update and client, both ways', unit: 'B' },
  { name: 'cpuMicros', title: 'server CPU per update and client', unit: 'µs' },
  P50,
  P99,
];

async function measureUpdates({ contender, load, plan }: Run): Promise<Sample> {
  await load.open(READERS, { role: 'sub', count: scaled(2_000, plan), ...contender.subscriber });
  await load.open(WRITER, { role: 'pub', count: 1 });
  await load.send(WRITER, { window: 64, rate: Math.max(1, plan.divisor / 5) });
  // Polls that all came at once at the beginning spread with the time that each took; one round is let pass.
  await load.wait(plan.warmMs + 1_000 / plan.divisor);
  await load.begin();
  await load.wait(Math.max(POLL_MS, plan.ms) * 2);
  const { groups, serverCpuMs } = await load.end();
  await load.stop();
  await load.complete(READERS);
  const { deliveries, bytes, sentBytes, p50Us, p99Us } = groups[String(READERS)]!;
  return {
    bytes: (bytes + sentBytes) / deliveries,
    cpuMicros: (serverCpuMs * 1_000) / deliveries,
    p50Ms: p50Us / 1_000,
    p99Ms: p99Us / 1_000,
  };
}

export const UPDATES: Scenario = {
  name: 'updates',
  title: '2,000 clients, one update of 100 bytes a second for all of them',
  needs: 'updates',
  metrics: METRICS,
  run: measureUpdates,
};
