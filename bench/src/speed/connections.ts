/** What connections cost: memory while they are idle, and time and processor to make them. */

import { setTimeout as sleep } from 'node:timers/promises';
import { scaled, type Metric, type Run, type Sample, type Scenario } from './scenario.ts';

const IDLE = 0;
/** How long a server may tidy up before its memory is looked at, ms. */
const REST_MS = 2_000;

const IDLE_METRICS: readonly Metric[] = [
  { name: 'bytes', title: 'resident memory per connection', unit: 'B' },
  { name: 'baseMiB', title: 'resident without connections', unit: 'MiB' },
  { name: 'fullMiB', title: 'resident with them', unit: 'MiB' },
  { name: 'idleCpuShare', title: 'share of a core while idle', unit: '' },
];

/** Each has one subscription, of topics that a hundred share. */
async function measureIdle({ contender, server, load, plan }: Run, connections: number): Promise<Sample> {
  const count = scaled(connections, plan);
  const restMs = REST_MS / plan.divisor;
  // What is loaded with the first connection is no cost of the others.
  await load.open(IDLE, { role: 'sub', count: 1, ...contender.subscriber });
  await load.close(IDLE);
  await sleep(restMs);
  const base = server.residentBytes;
  await load.open(IDLE, { role: 'sub', count, topics: Math.max(1, Math.round(count / 100)), ...contender.subscriber });
  await sleep(restMs);
  const cpuMs = server.cpuMs;
  await sleep(restMs);
  const full = server.residentBytes;
  return {
    bytes: (full - base) / count,
    baseMiB: base / 2 ** 20,
    fullMiB: full / 2 ** 20,
    idleCpuShare: (server.cpuMs - cpuMs) / restMs,
  };
}

const STORM_METRICS: readonly Metric[] = [
  { name: 'cpuMicros', title: 'server CPU per connection', unit: 'µs' },
  { name: 'perSecond', title: 'connections per second', unit: '/s' },
  { name: 'p50Ms', title: 'until subscribed, p50', unit: 'ms' },
  { name: 'p99Ms', title: 'until subscribed, p99', unit: 'ms' },
];

async function measureStorm({ contender, server, load, plan }: Run): Promise<Sample> {
  const count = scaled(3_000, plan);
  // The first connections of a process meet code that was never run.
  await load.open(IDLE, { role: 'sub', count: scaled(500, plan), ...contender.subscriber });
  const cpuMs = server.cpuMs;
  const { ms, p50Us, p99Us } = await load.open(1, { role: 'sub', count, topics: 100, ...contender.subscriber });
  return {
    cpuMicros: ((server.cpuMs - cpuMs) * 1_000) / count,
    perSecond: (count / ms) * 1_000,
    p50Ms: p50Us / 1_000,
    p99Ms: p99Us / 1_000,
  };
}

export const CONNECTIONS: readonly Scenario[] = [
  {
    name: 'idle-10000',
    title: '10,000 idle connections with one subscription each',
    needs: 'broadcast',
    metrics: IDLE_METRICS,
    run: (run) => measureIdle(run, 10_000),
  },
  {
    name: 'idle-19000',
    title: '19,000 idle connections with one subscription each',
    needs: 'broadcast',
    metrics: IDLE_METRICS,
    run: (run) => measureIdle(run, 19_000),
  },
  {
    name: 'handshakes',
    title: '3,000 connections come at once, 256 handshakes at a time, each until it is subscribed',
    needs: 'broadcast',
    metrics: STORM_METRICS,
    run: measureStorm,
  },
];
