/**
 * What happens to every contender, and when: the same to each, from a seed. Pure; times are milliseconds from the first
 * broadcast.
 */

import { seededRandom } from '../replay/chance.ts';

export interface AuditPlan {
  readonly clients: number;
  /** How long there are broadcasts, ms. */
  readonly durationMs: number;
  readonly broadcastsPerSecond: number;
  /** The mean time between two cuts of one client, ms; each is drawn from two thirds to four thirds of it. */
  readonly cutEveryMs: number;
  /** How long a client whose connection was cut cannot connect, ms. */
  readonly offlineMs: number;
  /** How long there is no server after it was killed, before it is started again, ms. */
  readonly killedMs: number;
  /** How long is waited after the last broadcast for what is still to come, ms at most. */
  readonly settleMs: number;
  readonly seed: number;
}

export interface Cut {
  readonly atMs: number;
  /** Which client, from 0; the one after the last is the publisher, where it has a connection. */
  readonly client: number;
}

export interface AuditScript {
  /** When each broadcast is due; the first has the number 1. */
  readonly broadcastsAtMs: readonly number[];
  /** In order. */
  readonly cuts: readonly Cut[];
  readonly killAtMs: number;
  readonly drainAtMs: number;
  /** The broadcasts up to this number had only cuts to fear: the kill is at least a fourth of its time away. */
  readonly calmCount: number;
}

const KILL_SHARE = 1 / 2;
const DRAIN_SHARE = 3 / 4;
const CALM_SHARE = 3 / 8;
/** The server ends so long after a broadcast was handed to it: while it is busy with it. */
const AFTER_BROADCAST_MS = 3;

export function scriptOf(plan: AuditPlan): AuditScript {
  const { durationMs, broadcastsPerSecond, clients } = plan;
  const count = Math.max(1, Math.floor((durationMs / 1_000) * broadcastsPerSecond));
  const broadcastsAtMs = Array.from({ length: count }, (_, index) => (index * 1_000) / broadcastsPerSecond);
  const after = (share: number): number => broadcastsAtMs[Math.floor(count * share)]! + AFTER_BROADCAST_MS;
  const random = seededRandom(plan.seed);
  const cuts = Array.from({ length: clients + 1 }, (_, client) => cutsOf(client, plan, random)).flat();
  return {
    broadcastsAtMs,
    cuts: cuts.sort((a, b) => a.atMs - b.atMs),
    killAtMs: after(KILL_SHARE),
    drainAtMs: after(DRAIN_SHARE),
    calmCount: Math.floor(count * CALM_SHARE),
  };
}

function cutsOf(client: number, { cutEveryMs, durationMs }: AuditPlan, random: () => number): Cut[] {
  const cuts: Cut[] = [];
  for (let atMs = random() * cutEveryMs; atMs < durationMs; atMs += cutEveryMs * (2 / 3 + (random() * 2) / 3)) cuts.push({ atMs, client });
  return cuts;
}
