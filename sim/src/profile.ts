/**
 * What one run is like: how many take part, how far apart they are, how small the limits, which calamities come. All of
 * it is drawn from the seed, within what a person chose.
 */

import { CALAMITIES, CALAMITY_NAMES, settingOf, USUAL_SHARE, type Calamity } from './calamities.ts';
import type { Chance } from './random.ts';
import type { Selection } from './selection.ts';

/** One blow of a calamity. */
export interface Strike {
  /** Its number among those that the seed draws; stays when others are left out. */
  readonly number: number;
  /** When, as a share of the run. */
  readonly at: number;
  readonly kind: Calamity;
  /** How long it lasts, on average, ms; `undefined`: as long as all of the run. */
  readonly lastsMs: number | undefined;
  /** The calamity's own settings. */
  readonly settings: Readonly<Record<string, number>>;
}

export interface Profile {
  /** How often the weather clears and everything must come right. */
  readonly roundCount: number;
  readonly deviceCount: number;
  /** Every second device is a tab of the browser of the one before. */
  readonly areTabs: boolean;
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
  /** How long calamities last on average, ms. */
  readonly lastsMs: number;
  /** What happens when, in order. */
  readonly strikes: readonly Strike[];
}

/** The usual silence, 30 days: longer than any run, and than any jump of a clock. */
const LONG_SILENCE_MS = 2_592_000_000;
/** However close together a person wants them. */
const STRIKES_MAX = 1_000;

/** `steps`: of all devices together, for settings that count by time. */
export function drawProfile(chance: Chance, selection: Selection, steps: number): Profile {
  const { devicesMax = Infinity, topicsMax = Infinity, roundsMax = Infinity, consumersMax = Infinity } = selection;
  const isForgetful = chance.is(0.05);
  const latencyMs = chance.logarithmic(0.2, 200);
  const drawn = {
    roundCount: Math.min(roundsMax, chance.pick([1, 2, 4, 8, 16])),
    deviceCount: Math.min(devicesMax, chance.integer(1, 5)),
    topicCount: Math.min(topicsMax, chance.integer(1, 3)),
    consumersPerTopicMax: Math.min(consumersMax, chance.integer(1, 3)),
    paceMs: chance.logarithmic(2, 800),
    latencyMs,
    jitterMs: chance.between(0, 2 * latencyMs),
    diskMs: chance.logarithmic(0.1, 40),
    outboxMs: chance.logarithmic(0.1, 20),
    turnMs: chance.logarithmic(0.1, 10),
    heartbeatMs: chance.pick([2_000, 5_000, 25_000]),
    outcomesMax: chance.pick([1, 2, 4, 8, 64]),
    queueBytesMax: chance.pick([500, 2_000, 8_000, 1_048_576]),
    hookMs: chance.is(0.3) ? chance.logarithmic(0.1, 200) : 0,
    hookFailures: chance.is(0.2) ? 0.05 : 0,
    lastsMs: chance.logarithmic(20, 60_000),
  };
  const durationMs = (steps * drawn.paceMs) / drawn.deviceCount;
  const all = CALAMITY_NAMES.flatMap((kind) => drawStrikes(chance.fork(`strikes of ${kind}`), kind, selection, durationMs));
  const inOrder = all.sort((one, other) => one.at - other.at).map((strike, number) => ({ ...strike, number }));
  const strikes = inOrder.filter(({ number }) => selection.strikes?.includes(number) !== false);
  const has = (kind: Calamity): boolean => strikes.some((strike) => strike.kind === kind);
  const cut = strikes.find(({ kind }) => kind === 'history-cut');
  return {
    ...drawn,
    areTabs: has('tab-death') && drawn.deviceCount > 1,
    keepCountMax: cut === undefined ? undefined : Math.max(1, Math.round(cut.settings['entries']!)),
    // A clock that is set ahead by hours would make every producer a forgotten one.
    producerSilenceMs: isForgetful && !has('clock-jump') ? 30_000 : LONG_SILENCE_MS,
    strikes,
  };
}

function drawStrikes(chance: Chance, kind: Calamity, selection: Selection, durationMs: number): Omit<Strike, 'number'>[] {
  const { only, without = [], settings = {} } = selection;
  const chosen = (name: string): { readonly min: number; readonly max: number } | undefined => settings[`${kind}.${name}`];
  const draw = (name: string): number => {
    const { min, max } = chosen(name) ?? settingOf(kind, name)!;
    if (min === max) return min;
    return min > 0 ? chance.logarithmic(min, max) : chance.between(min, max);
  };
  const share = chosen('share')?.max ?? (only === undefined ? (CALAMITIES[kind].share ?? USUAL_SHARE) : 1);
  const isThere = chance.is(share) && only?.includes(kind) !== false && !without.includes(kind);
  if (!isThere) return [];
  const { min, max } = chosen('times') ?? settingOf(kind, 'times')!;
  const count = chosen('everyMs') === undefined ? chance.integer(min, max) : Math.ceil(durationMs / Math.max(1, draw('everyMs')));
  return Array.from({ length: Math.min(STRIKES_MAX, count) }, () => ({
    at: chance.next(),
    kind,
    lastsMs: chosen('lastsMs') === undefined ? undefined : draw('lastsMs'),
    settings: Object.fromEntries(Object.keys(CALAMITIES[kind].settings ?? {}).map((name) => [name, draw(name)])),
  }));
}
