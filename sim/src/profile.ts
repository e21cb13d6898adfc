/**
 * What one run is like: how many take part, how far apart they are, how small the limits, which calamities come. All of
 * it is drawn from the seed. Each calamity is left out of half of the runs, since those with fewer kinds reach states
 * that a run with all of them never does (swarm testing, Groce et al. 2012).
 */

import type { Chance } from './random.ts';

/** Everything that can go wrong. */
export const CALAMITIES = [
  'cut',
  'half-open',
  'outage',
  'slow link',
  'server killed',
  'server without power',
  'deploy',
  'device killed',
  'device frozen',
  'server frozen',
  'disk trouble',
  'outbox trouble',
  'clock jump',
  'disk wiped',
  'topic deleted',
  'rights asked again',
] as const;

export type Calamity = (typeof CALAMITIES)[number];

export interface Profile {
  /** How often the weather clears and everything must come right. */
  readonly roundCount: number;
  readonly deviceCount: number;
  readonly topicCount: number;
  readonly consumersPerTopicMax: number;
  /** The mean time between two actions of one device, ms. */
  readonly paceMs: number;
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** The mean time of a call of the server's disk and of an outbox, ms. */
  readonly diskMs: number;
  readonly outboxMs: number;
  /** The longest turn of the server's event loop, ms. */
  readonly turnMs: number;
  readonly heartbeatMs: number;
  /** W, HF-6.3. */
  readonly outcomesMax: number;
  readonly queueBytesMax: number;
  /** Entries kept per topic; `undefined`: all. */
  readonly keepCountMax: number | undefined;
  /** HF-6.9; small ones make an outage long enough to be forgotten. */
  readonly producerSilenceMs: number;
  /** The mean time that rights and hooks take, ms; 0: they are synchronous. */
  readonly hookMs: number;
  /** The share of calls of a hook that fail with something retryable. */
  readonly hookFailures: number;
  /** How long calamities last, ms. */
  readonly lastsMs: number;
  /** What happens when, in order; times as a share of the run. */
  readonly calamities: readonly { readonly at: number; readonly kind: Calamity }[];
}

/** The usual silence, 30 days: longer than any run, and than any jump of a clock. */
const LONG_SILENCE_MS = 2_592_000_000;
/** Calamities that end epochs or forget producers make `UNCERTAIN` legal, and so hide faults: they are seldom. */
const SELDOM: ReadonlySet<Calamity> = new Set(['disk wiped', 'topic deleted']);

export function drawProfile(chance: Chance): Profile {
  const producerSilenceMs = chance.is(0.05) ? 30_000 : LONG_SILENCE_MS;
  const latencyMs = chance.logarithmic(0.2, 200);
  return {
    roundCount: chance.pick([1, 2, 4, 8, 16]),
    deviceCount: chance.integer(1, 5),
    topicCount: chance.integer(1, 3),
    consumersPerTopicMax: chance.integer(1, 3),
    paceMs: chance.logarithmic(2, 800),
    latencyMs,
    jitterMs: chance.between(0, 2 * latencyMs),
    diskMs: chance.logarithmic(0.1, 40),
    outboxMs: chance.logarithmic(0.1, 20),
    turnMs: chance.logarithmic(0.1, 10),
    heartbeatMs: chance.pick([2_000, 5_000, 25_000]),
    outcomesMax: chance.pick([1, 2, 4, 8, 64]),
    queueBytesMax: chance.pick([500, 2_000, 8_000, 1_048_576]),
    keepCountMax: chance.is(0.15) ? chance.integer(3, 40) : undefined,
    producerSilenceMs,
    hookMs: chance.is(0.3) ? chance.logarithmic(0.1, 200) : 0,
    hookFailures: chance.is(0.2) ? 0.05 : 0,
    lastsMs: chance.logarithmic(20, 60_000),
    calamities: drawCalamities(chance).filter(({ kind }) => kind !== 'clock jump' || producerSilenceMs === LONG_SILENCE_MS),
  };
}

function drawCalamities(chance: Chance): Profile['calamities'] {
  const calamities = CALAMITIES.flatMap((kind) => {
    if (!chance.is(SELDOM.has(kind) ? 0.05 : 0.5)) return [];
    return Array.from({ length: chance.integer(1, 4) }, () => ({ at: chance.next(), kind }));
  });
  return calamities.sort((a, b) => a.at - b.at);
}
