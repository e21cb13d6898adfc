/** Runs seed after seed, says how it goes, and stops at the first violation with all that is needed to see it again. */

import { spawnSync } from 'node:child_process';
import { forbidRealWorld } from './real-world.ts';
import { PROPERTIES } from './properties.ts';
import { simulate, type Outcome } from './simulation.ts';
import { Tally } from './tally.ts';

export interface SeedsOptions {
  readonly firstSeed: number;
  readonly seedCount: number;
  /** Actions of all devices in one run. */
  readonly steps: number;
  /** Print every line of every run. */
  readonly isTraced: boolean;
  /** The fault that was planted into this build. */
  readonly fault: string | undefined;
}

/** Between two signs of life, ms. */
const PROGRESS_MS = 10_000;

/** Resolves with the exit code: 0 if nothing was violated. */
export async function runSeeds(options: SeedsOptions, print: (line: string) => void): Promise<number> {
  const { firstSeed, seedCount, steps, isTraced } = options;
  const now = performance.now.bind(performance);
  const tally = new Tally();
  const beganAtMs = now();
  let eventCount = 0;
  let saidAtMs = beganAtMs;
  const realWorld = forbidRealWorld();
  try {
    for (let seed = firstSeed; seed < firstSeed + seedCount; seed++) {
      const outcome = await simulate({ seed, steps, tally, print: isTraced ? print : undefined });
      eventCount += outcome.eventCount;
      if (seedCount === 1)
        print(
          `seed ${seed}: ${outcome.eventCount} events in ${(outcome.lastedMs / 1000).toFixed(1)} simulated seconds, trace ${outcome.digest}`,
        );
      if (outcome.violation !== undefined) {
        report(outcome, options, print);
        print(`${seed - firstSeed + 1} seeds, 1 violation, ${eventCount} events, ${secondsSince(beganAtMs, now)} s`);
        return 1;
      }
      if (now() - saidAtMs > PROGRESS_MS) {
        saidAtMs = now();
        print(`... ${seed - firstSeed + 1} of ${seedCount} seeds, ${secondsSince(beganAtMs, now)} s`);
      }
    }
  } finally {
    realWorld.restore();
  }
  print(
    tally
      .entries()
      .map(([what, count]) => `${what} ${count}`)
      .join(', '),
  );
  print(`${seedCount} seeds, 0 violations, ${eventCount} events, ${secondsSince(beganAtMs, now)} s`);
  return 0;
}

function report({ seed, violation }: Outcome, { steps, fault }: SeedsOptions, print: (line: string) => void): void {
  const { property, detail, atMs } = violation!;
  print(`VIOLATION of ${property}: ${detail}`);
  print(`  promise:  ${PROPERTIES[property]}`);
  print(`  seed:     ${seed}, after ${(atMs / 1000).toFixed(3)} simulated seconds`);
  print(`  commit:   ${commit()}${fault === undefined ? '' : `, with the planted fault ${fault}`}`);
  print(`  see it:   npm run sim -- --seed ${seed} --steps ${steps}${fault === undefined ? '' : ` --fault ${fault}`} --trace`);
}

function commit(): string {
  const git = (...args: string[]): string | undefined => {
    const { status, stdout } = spawnSync('git', args, { encoding: 'utf8' });
    return status === 0 ? stdout.trim() : undefined;
  };
  const head = git('rev-parse', '--short', 'HEAD');
  if (head === undefined) return 'unknown';
  return git('status', '--porcelain') === '' ? head : `${head} and uncommitted changes`;
}

function secondsSince(beganAtMs: number, now: () => number): string {
  return ((now() - beganAtMs) / 1000).toFixed(1);
}
