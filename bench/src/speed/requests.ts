/** Requests and their answers: calls, acknowledged publishes, and durable ones beside the disk's own speed. */

import { join } from 'node:path';
import { measureFsync } from '../append-fsync.ts';
import type { Counted } from '../load/load-generator.ts';
import { counted, GENERATOR, P50, P99, scaled, type Metric, type Run, type Sample, type Scenario } from './scenario.ts';

const SENDERS = 0;

const METRICS: readonly Metric[] = [
  { name: 'cpuMicros', title: 'server CPU per answer', unit: 'µs' },
  { name: 'perSecond', title: 'answers per second', unit: '/s' },
  P50,
  P99,
  GENERATOR,
];

function answerSample({ groups, windowMs, serverCpuMs, ownCpuMs }: Counted): Sample {
  const { acks, replies, p50Us, p99Us } = groups[String(SENDERS)]!;
  const answers = acks + replies;
  return {
    cpuMicros: (serverCpuMs * 1_000) / answers,
    perSecond: (answers / windowMs) * 1_000,
    p50Ms: p50Us / 1_000,
    p99Ms: p99Us / 1_000,
    generatorShare: ownCpuMs / windowMs,
  };
}

/** Each sender has a topic of its own, to which nobody subscribes. */
async function measureAnswers({ load, plan }: Run, role: 'pub' | 'call', senders: number, window: number): Promise<Sample> {
  const count = scaled(senders, plan);
  await load.open(SENDERS, { role, count, topics: count });
  await load.send(SENDERS, { window, ack: true });
  const sample = answerSample(await counted(load, plan));
  await load.stop();
  return sample;
}

/** The same, after the disk alone was measured for as long: one `fsync` for each append. */
async function measureDurable(run: Run, senders: number): Promise<Sample> {
  const fsyncs = measureFsync(join(run.folder, 'bare'), run.plan.ms);
  const sample = await measureAnswers(run, 'pub', senders, 64);
  return { ...sample, fsyncs, times: sample['perSecond']! / fsyncs };
}

const DURABLE_METRICS: readonly Metric[] = [
  METRICS[1]!,
  { name: 'fsyncs', title: 'one `fsync` per append on this disk', unit: '/s' },
  { name: 'times', title: 'times as many', unit: '' },
  P50,
  P99,
  METRICS[0]!,
];

export const REQUESTS: readonly Scenario[] = [
  {
    name: 'call',
    title: '10 clients, 16 requests under way each, each answered with its own 100 bytes',
    needs: 'call',
    metrics: METRICS,
    run: (run) => measureAnswers(run, 'call', 10, 16),
  },
  {
    name: 'ack',
    title: '10 publishers to topics without subscribers, 16 messages unacknowledged each',
    needs: 'ack',
    metrics: METRICS,
    run: (run) => measureAnswers(run, 'pub', 10, 16),
  },
  {
    name: 'durable',
    title: 'One publisher, 64 messages unacknowledged, each on disk before it is acknowledged',
    needs: 'durable',
    metrics: DURABLE_METRICS,
    run: (run) => measureDurable(run, 1),
  },
  {
    name: 'durable-16',
    title: '16 publishers, 64 messages unacknowledged each, each on disk before it is acknowledged',
    needs: 'durable',
    metrics: DURABLE_METRICS,
    run: (run) => measureDurable(run, 16),
  },
];
