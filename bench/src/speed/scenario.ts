/** What is measured: one run of one server gives one sample, a number for each of the scenario's metrics. */

import type { Figure } from '../append.ts';
import type { Counted, LoadGenerator } from '../load/load-generator.ts';
import type { Ability, Contender } from './contender.ts';
import type { ServerProcess } from './server-process.ts';

export interface Metric {
  readonly name: string;
  /** Head of a column. */
  readonly title: string;
  readonly unit: string;
}

export type Sample = Readonly<Record<string, number>>;

/** How large and how long. */
export interface Plan {
  /** Of the window in which is counted. */
  readonly ms: number;
  /** Before it. */
  readonly warmMs: number;
  /** By which numbers of connections are divided: 1, or more for a quick look that measures nothing. */
  readonly divisor: number;
}

/** One run: a fresh server with a fresh load generator. */
export interface Run {
  readonly contender: Contender;
  readonly server: ServerProcess;
  readonly load: LoadGenerator;
  readonly plan: Plan;
  /** The server's files; empty at the beginning. */
  readonly folder: string;
}

export interface Scenario {
  readonly name: string;
  /** What it is, one sentence. */
  readonly title: string;
  /** All that can take part. */
  readonly needs: Ability;
  readonly metrics: readonly Metric[];
  readonly run: (run: Run) => Promise<Sample>;
}

/** One contender in one scenario. */
export interface SpeedRow {
  readonly contender: string;
  readonly title: string;
  readonly version: string;
  readonly runs: number;
  readonly figures: Readonly<Record<string, Figure>>;
}

/** A number of connections under a plan: never fewer than one. */
export function scaled(count: number, { divisor }: Plan): number {
  return Math.max(1, Math.round(count / divisor));
}

const CPU_PER_DELIVERY: Metric = { name: 'cpuMicros', title: 'server CPU per delivery', unit: 'µs' };
const PER_CORE_SECOND: Metric = { name: 'perCoreSecond', title: 'deliveries per second of a core', unit: '/s' };
export const PER_SECOND: Metric = { name: 'perSecond', title: 'deliveries per second', unit: '/s' };
export const P50: Metric = { name: 'p50Ms', title: 'latency p50', unit: 'ms' };
export const P99: Metric = { name: 'p99Ms', title: 'latency p99', unit: 'ms' };
/** How busy the server was. */
export const SERVER: Metric = { name: 'serverShare', title: "server's share of its core", unit: '' };
const BYTES: Metric = { name: 'bytes', title: 'bytes per delivery', unit: 'B' };
/** How busy the generator was: near 1 it is the generator that was measured. */
export const GENERATOR: Metric = { name: 'generatorShare', title: "generator's share of its core", unit: '' };

export const DELIVERY_METRICS: readonly Metric[] = [CPU_PER_DELIVERY, PER_CORE_SECOND, PER_SECOND, P50, P99, BYTES, GENERATOR];

/** The metrics of deliveries to one group. Throws where there were none: a server that stood still for a whole window has no figures. */
export function deliverySample({ groups, windowMs, serverCpuMs, ownCpuMs }: Counted, group: number): Sample {
  const { deliveries, bytes, p50Us, p99Us } = groups[String(group)]!;
  if (deliveries === 0) throw new Error(`nothing was delivered in ${Math.round(windowMs)} ms`);
  return {
    serverShare: serverCpuMs / windowMs,
    cpuMicros: (serverCpuMs * 1_000) / deliveries,
    perCoreSecond: (deliveries / serverCpuMs) * 1_000,
    perSecond: (deliveries / windowMs) * 1_000,
    p50Ms: p50Us / 1_000,
    p99Ms: p99Us / 1_000,
    bytes: bytes / deliveries,
    generatorShare: ownCpuMs / windowMs,
  };
}

/** Counts for the plan's time, after its warm-up. */
export async function counted(load: LoadGenerator, { ms, warmMs }: Plan): Promise<Counted> {
  await load.wait(warmMs);
  await load.begin();
  await load.wait(ms);
  return load.end();
}
