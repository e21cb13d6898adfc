/**
 * Whether a server lives, and whether it should be given work: for those who restart it and those who send it clients. Both
 * answers may be read by anybody, so that they name no paths, no addresses and no subjects.
 */

import { systemClock, SYSTEM_PREFIX, type Clock, type Hub, type Timer } from '@holdfast/server';
import { HoldfastError, type ErrorCode } from '@holdfast/wire';

export interface HealthOptions {
  readonly hub: Hub;
  /** When the process began, ms since 1970. Default: now. */
  readonly startedAtMs?: number;
  /** Default `unknown`. */
  readonly version?: string;
  /** More conditions for being ready, by name. One that throws or rejects, or takes too long, is not met; its words are not shown. */
  readonly checks?: Readonly<Record<string, () => void | Promise<void>>>;
  /** How long the store and each check may take, ms. Default 2,000. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

/** The answer of `live`. */
export interface Liveness {
  readonly status: 'ok';
  readonly version: string;
  readonly uptimeMs: number;
}

/** Why a server is not ready. */
export interface ReadinessReason {
  /** `draining`, `memory`, `store`, or the name of a check. */
  readonly check: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** The answer of `ready`. */
export interface Readiness {
  readonly status: 'ready' | 'unavailable';
  readonly reasons: readonly ReadinessReason[];
}

export interface Health {
  /** Answers as long as the event loop turns; asks nobody. */
  live(): Liveness;
  /** Whether the hub is not going away, has memory left, and its store writes. */
  ready(): Promise<Readiness>;
}

/** The register that is written to see whether the store writes: one row, always the same, through the same way as those of clients. */
const PROBE = { topic: `${SYSTEM_PREFIX}health`, key: 'written', merge: 'replace' } as const;
/** For so long an answer of the store stands, however often it is asked for, ms. */
const FRESH_MS = 1_000;

/** Health of a hub and its store. */
export function createHealth({
  hub,
  clock = systemClock,
  startedAtMs = clock.now(),
  version = 'unknown',
  checks = {},
  timeoutMs = 2_000,
}: HealthOptions): Health {
  const writes = once(clock, async () => {
    await hub.services.sequencer.register({ ...PROBE, value: clock.now() });
  });
  const others = Object.entries(checks).map(([name, check]) => [name, once(clock, async () => check())] as const);

  async function ready(): Promise<Readiness> {
    const reasons: ReadinessReason[] = [];
    if (hub.goingAway !== undefined) reasons.push(reason('draining', 'GOING_AWAY'));
    if (hub.stats().memoryBytes >= hub.services.nodeLimits.memoryBytesMax) reasons.push(reason('memory', 'OVERLOADED'));
    // A store that is being closed says nothing about the disk.
    const asked = reasons.some(({ check }) => check === 'draining') ? [] : [['store', writes] as const, ...others];
    const found = await Promise.all(asked.map(([name, task]) => failureOf(clock, name, task(), timeoutMs)));
    reasons.push(...found.filter((failure) => failure !== undefined));
    return { status: reasons.length === 0 ? 'ready' : 'unavailable', reasons };
  }

  return {
    live: () => ({ status: 'ok', version, uptimeMs: Math.max(0, clock.now() - startedAtMs) }),
    ready,
  };
}

function reason(check: string, code: ErrorCode, message: string = new HoldfastError(code).message): ReadinessReason {
  return { check, code, message };
}

/** One run at a time, and its outcome for a while: whoever asks a thousand times a second must not make a thousand writes. */
function once(clock: Clock, task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let endedAtMs: number | undefined;
  return () => {
    const now = clock.now();
    const isOver = endedAtMs !== undefined && (now - endedAtMs >= FRESH_MS || now < endedAtMs);
    if (running !== undefined && !isOver) return running;
    endedAtMs = undefined;
    running = task().finally(() => (endedAtMs = clock.now()));
    return running;
  };
}

/** The code of a failure, and never its words: a store's name its files. */
async function failureOf(clock: Clock, check: string, task: Promise<void>, timeoutMs: number): Promise<ReadinessReason | undefined> {
  let timer: Timer | undefined;
  const tooLate = new Promise<ReadinessReason>((resolve) => {
    timer = clock.setTimeout(() => resolve(reason(check, 'OVERLOADED', `no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  const outcome = task.then(
    () => undefined,
    (error: unknown) => reason(check, error instanceof HoldfastError ? error.code : 'INTERNAL'),
  );
  const first = await Promise.race([outcome, tooLate]);
  clock.clearTimeout(timer);
  return first;
}
