/**
 * Everybody comes back at once: connections with a subscription each, all reset at the same moment; while they are away something is
 * published; then all return and want it. Each contender keeps its server and its connections through all rounds, so that what a
 * round leaves behind shows, and they take turns round by round, while the others' connections stand idle.
 */

import { LoadGenerator, type Returned } from '../load/load-generator.ts';
import type { StormContender } from './contenders.ts';
import type { GaugedServer, LoopDelay, Memory } from './gauged-server.ts';

/** `at-once`: everybody tries immediately. `spread`: as the product's own client does. Further attempts are the client's in both. */
export const STORM_MODES = ['at-once', 'spread'] as const;
export type StormMode = (typeof STORM_MODES)[number];

export interface StormPlan {
  readonly connections: readonly number[];
  readonly rounds: number;
  /** After which a round is over, whoever is back, and the contender's last, ms. */
  readonly roundMs: number;
}

/** One drop of all connections of one contender. */
export interface StormRound extends Omit<Returned, 'ms'>, LoopDelay, Memory {
  /** Of the server, from the drop until all were back. */
  readonly cpuMs: number;
  /** Of one core, from the drop until all were back: near 1 it is the generator that was measured. */
  readonly generatorShare: number;
}

/** All rounds of one contender with so many connections. */
export interface StormRow {
  readonly contender: string;
  readonly title: string;
  readonly version: string;
  readonly isOurs: boolean;
  readonly mode: StormMode;
  readonly connections: number;
  readonly missed: number;
  /** With all connections, before the first round. */
  readonly before: Memory;
  readonly rounds: readonly StormRound[];
}

/** Connections of one topic, and entries of each topic that are published while everybody is away. */
const PER_TOPIC = 100;
const MISSED = 5;

const CLIENTS = 0;
const WRITER = 1;

interface Standing {
  readonly contender: StormContender;
  readonly server: GaugedServer;
  readonly load: LoadGenerator;
  before: Memory;
  readonly rounds: StormRound[];
}

export async function measureStorm(
  contenders: readonly StormContender[],
  plan: StormPlan,
  report: (line: string) => void,
): Promise<StormRow[]> {
  const rows: StormRow[] = [];
  for (const mode of STORM_MODES)
    for (const connections of plan.connections) rows.push(...(await measureCase(contenders, { ...plan, mode, connections }, report)));
  return rows;
}

type Case = Omit<StormPlan, 'connections'> & { readonly mode: StormMode; readonly connections: number };

async function measureCase(contenders: readonly StormContender[], plan: Case, report: (line: string) => void): Promise<StormRow[]> {
  const standing: Standing[] = [];
  try {
    for (const contender of contenders) await stand(contender, plan.connections, standing);
    for (let round = 1; round <= plan.rounds; round++)
      for (const one of standing) {
        if (isOver(one, plan, round)) continue;
        one.rounds.push(await dropAll(one, plan, round));
        report(`${plan.connections} ${plan.mode} ${round}/${plan.rounds} ${one.contender.name}: ${told(one.rounds.at(-1)!)}`);
      }
  } finally {
    for (const { load, server } of standing) {
      await load.kill();
      await server.kill();
    }
  }
  const { mode, connections } = plan;
  return standing.map(({ contender: { name, title, version, isOurs }, before, rounds }) => {
    return { contender: name, title, version, isOurs, mode, connections, missed: MISSED, before, rounds };
  });
}

/** Whoever did not get all of them back in time has had its last round. */
function isOver({ contender, rounds }: Standing, { connections }: Case, round: number): boolean {
  return round > (contender.roundsMax ?? Infinity) || (rounds.at(-1)?.ready ?? connections) < connections;
}

/** Adds to `standing` first, so that whatever happens then its processes are ended. */
async function stand({ pace, ...contender }: StormContender, connections: number, standing: Standing[]): Promise<void> {
  const server = await contender.start(connections);
  const load = new LoadGenerator(contender.protocol, server.port, server.pid);
  const one: Standing = { contender, server, load, before: { residentBytes: 0, heldBytes: 0 }, rounds: [] };
  standing.push(one);
  const topics = topicsOf(connections);
  // Not counted: what is published while nobody is there waits for nobody.
  await load.open(CLIENTS, { role: 'sub', count: connections, topics, counted: false, ...(pace === undefined ? {} : { pace }) });
  await load.open(WRITER, { role: 'pub', count: 1, topics });
  // Socket.IO recovers only who has had an event before.
  await publish(load, topics, 1);
  await load.complete(CLIENTS);
  one.before = await server.memory();
}

function topicsOf(connections: number): number {
  return Math.max(1, Math.round(connections / PER_TOPIC));
}

/** `count`: of each topic, since the beginning. */
async function publish(load: LoadGenerator, topics: number, count: number): Promise<void> {
  await load.send(WRITER, { window: 64, ack: true, limit: topics * count });
  await load.finish();
}

async function dropAll({ server, load }: Standing, { connections, mode, roundMs }: Case, round: number): Promise<StormRound> {
  await server.begin();
  await load.begin();
  await load.drop(CLIENTS);
  await publish(load, topicsOf(connections), 1 + round * MISSED);
  const { ready, back, ...others } = await load.comeBack(CLIENTS, mode === 'at-once', roundMs);
  const { serverCpuMs, ownCpuMs, windowMs } = await load.end();
  const delay = await server.end();
  const memory = await server.memory();
  return { ...returnedOnly({ ready, back, ...others }), cpuMs: serverCpuMs, generatorShare: ownCpuMs / windowMs, ...delay, ...memory };
}

/** Without what every answer of the generator has. */
function returnedOnly(answer: Returned): Omit<Returned, 'ms'> {
  const { ready, back, p50Us, p95Us, p99Us, maxUs, attempts, refusals, broken, timedOut, relapsed, anew, lost, doubled, disordered, late } =
    answer;
  return { ready, back, p50Us, p95Us, p99Us, maxUs, attempts, refusals, broken, timedOut, relapsed, anew, lost, doubled, disordered, late };
}

function told(round: StormRound): string {
  const ms = [round.p50Us, round.p95Us, round.p99Us, round.maxUs].map((us) => Math.round(us / 1_000)).join('/');
  const wrong = (['refusals', 'broken', 'timedOut', 'relapsed', 'anew', 'lost', 'doubled', 'disordered', 'late'] as const)
    .filter((name) => round[name] > 0)
    .map((name) => `, ${name} ${round[name]}`)
    .join('');
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  return (
    `back ${round.back}, p50/p95/p99/max ${ms} ms, loop p99 ${Math.round(round.delayP99Ms)} max ${Math.round(round.delayMaxMs)} ms, ` +
    `CPU ${(round.cpuMs / 1_000).toFixed(2)} s, resident ${mib(round.residentBytes)} held ${mib(round.heldBytes)} MiB, ` +
    `generator ${round.generatorShare.toFixed(2)}, attempts ${round.attempts}${wrong}`
  );
}
