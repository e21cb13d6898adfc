/**
 * What others cost a room that has nothing to do with them: thousands that come back and want what they missed, and
 * subscribers that stop reading.
 */

import type { LoadGenerator } from '../load/load-generator.ts';
import { deliverySample, GENERATOR, scaled, type Metric, type Run, type Sample, type Scenario } from './scenario.ts';

const ROOM = 0;
const SPEAKERS = 1;
const HISTORIAN = 2;
const RETURNING = 3;
const SLOW = 4;

/** The room: 500 subscribers and five speakers; `rate`: messages a second in all. */
async function fillRoom({ contender, load, plan }: Run, topic: number, rate: number): Promise<void> {
  await load.open(ROOM, { role: 'sub', count: scaled(500, plan), topic, ...contender.subscriber });
  await load.open(SPEAKERS, { role: 'pub', count: 5, topic });
  await load.send(SPEAKERS, { window: 64, rate });
  await load.wait(plan.warmMs);
}

async function roomFor(load: LoadGenerator, ms: number): Promise<Sample> {
  await load.begin();
  await load.wait(ms);
  return deliverySample(await load.end(), ROOM);
}

const MISSED = 100;
const RESUME_METRICS: readonly Metric[] = [
  { name: 'totalMs', title: 'until all have all', unit: 'ms' },
  { name: 'entriesPerSecond', title: 'missed entries per second', unit: '/s' },
  { name: 'cpuMicros', title: 'server CPU per missed entry', unit: 'µs' },
  { name: 'calmP99Ms', title: "the room's p99 before", unit: 'ms' },
  { name: 'p50Ms', title: "the room's p50 meanwhile", unit: 'ms' },
  { name: 'p99Ms', title: "the room's p99 meanwhile", unit: 'ms' },
  GENERATOR,
];

/** 50 topics with 100 entries each; 5,000 clients come at once, 100 to each topic, from the beginning of it. */
async function measureResume(run: Run): Promise<Sample> {
  const { contender, load, plan } = run;
  const topics = scaled(50, plan);
  const count = scaled(5_000, plan);
  // Topics are founded, and their epochs known, by one who listens for a moment.
  await load.open(RETURNING, { role: 'sub', count: topics, topics });
  await load.close(RETURNING);
  await load.open(HISTORIAN, { role: 'pub', count: topics, topics });
  await load.send(HISTORIAN, { window: 50, limit: MISSED });
  await load.finish();
  await fillRoom(run, topics, 20);
  const calm = await roomFor(load, plan.ms);
  await load.begin();
  const returning = { role: 'sub', count, topics, from: 0, counted: false, concurrency: 1_000, ...contender.subscriber } as const;
  const { ms: openedMs } = await load.open(RETURNING, returning);
  const restMs = await load.complete(RETURNING);
  const meanwhile = await load.end();
  await load.stop();
  await load.complete(ROOM);
  const room = deliverySample(meanwhile, ROOM);
  const entries = meanwhile.groups[String(RETURNING)]!.deliveries;
  return {
    totalMs: openedMs + restMs,
    entriesPerSecond: (entries / (openedMs + restMs)) * 1_000,
    cpuMicros: (meanwhile.serverCpuMs * 1_000) / entries,
    calmP99Ms: calm['p99Ms']!,
    p50Ms: room['p50Ms']!,
    p99Ms: room['p99Ms']!,
    generatorShare: room['generatorShare']!,
  };
}

const SLOW_METRICS: readonly Metric[] = [
  { name: 'heldKiB', title: 'memory held per slow reader', unit: 'KiB' },
  { name: 'behindKiB', title: 'what it is behind by then', unit: 'KiB' },
  { name: 'calmP99Ms', title: "the others' p99 before", unit: 'ms' },
  { name: 'p99Ms', title: "the others' p99 meanwhile", unit: 'ms' },
  { name: 'caughtUpMs', title: 'until the slow have all', unit: 'ms' },
];

const READERS = 10;
/** How much longer than a window they read nothing: the system itself holds some megabytes for each socket. */
const SLOW_WINDOWS = 4;

/** 8,000 messages a second to 10 readers; 10 more stop reading for a while, and then come back for everything. */
async function measureSlow({ contender, server, load, plan }: Run): Promise<Sample> {
  const count = scaled(READERS, plan);
  const slowMs = plan.ms * SLOW_WINDOWS;
  await load.open(ROOM, { role: 'sub', count, ...contender.subscriber });
  await load.open(SLOW, { role: 'sub', count, counted: false, ...contender.subscriber });
  await load.open(SPEAKERS, { role: 'pub', count: 1 });
  await load.send(SPEAKERS, { window: 64, rate: 8_000 });
  await load.wait(plan.warmMs);
  // What the log and the garbage of so many messages take anyway is no slow reader's.
  const atFirst = server.residentBytes;
  const calm = await roomFor(load, slowMs);
  const before = server.residentBytes;
  await load.pause(SLOW, true);
  await load.begin();
  await load.wait(slowMs);
  const meanwhile = await load.end();
  const held = Math.max(0, server.residentBytes - before - Math.max(0, before - atFirst));
  const { bytes } = meanwhile.groups[String(ROOM)]!;
  await load.stop();
  await load.pause(SLOW, false);
  const caughtUpMs = await load.complete(SLOW);
  await load.complete(ROOM);
  const room = deliverySample(meanwhile, ROOM);
  return {
    heldKiB: held / count / 1_024,
    behindKiB: bytes / count / 1_024,
    calmP99Ms: calm['p99Ms']!,
    p99Ms: room['p99Ms']!,
    caughtUpMs,
  };
}

export const RETURNING_SCENARIOS: readonly Scenario[] = [
  {
    name: 'resume',
    title: '5,000 clients come back at once, each for 100 missed entries, while a room of 500 talks on',
    needs: 'resume',
    metrics: RESUME_METRICS,
    run: measureResume,
  },
  {
    name: 'slow-readers',
    title: '10 of 20 readers of a busy topic stop reading for a while, and then read on',
    needs: 'broadcast',
    metrics: SLOW_METRICS,
    run: measureSlow,
  },
];
