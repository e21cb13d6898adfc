/** Runs seed after seed, says how it goes, and tells of a violation with all that is needed to see it again. */

import { spawnSync } from 'node:child_process';
import { PROPERTIES } from './properties.ts';
import type { Run, Runner, RunResult } from './runner.ts';
import { argumentsOf, type Selection } from './selection.ts';
import { shrink, type Failure } from './shrink.ts';
import { Tally } from './tally.ts';

export interface SeedsOptions {
  readonly firstSeed: number;
  readonly seedCount: number;
  /** Actions of all devices in one run. */
  readonly steps: number;
  readonly selection: Selection;
  /** Print every line of every run. */
  readonly isTraced: boolean;
  /** Go on after a violation, and tell of each. */
  readonly isExhaustive: boolean;
  /** Bounds of the search for a smaller run; 0 of either: none. */
  readonly shrinkRunsMax: number;
  readonly shrinkMs: number;
  /** The fault that was planted into this build. */
  readonly fault: string | undefined;
}

/** Between two signs of life, ms. */
const PROGRESS_MS = 10_000;

/** `runners`: share the seeds among them. Resolves with the exit code: 0 if nothing was violated. */
export async function runSeeds(options: SeedsOptions, runners: readonly Runner[], print: (line: string) => void): Promise<number> {
  const { firstSeed, seedCount, steps, selection, isTraced, isExhaustive } = options;
  const beganAtMs = performance.now();
  const tally = new Tally();
  const failures: Failure[] = [];
  let eventCount = 0;
  let doneCount = 0;
  let saidAtMs = beganAtMs;
  let next = firstSeed;
  // The lowest seed that fails is told, whoever ran it: only when all below it are done.
  const isDone = (): boolean => next >= firstSeed + seedCount || (!isExhaustive && failures.length > 0);
  const take = ({ outcome, counts }: RunResult, run: Run): void => {
    for (const [what, count] of counts) tally.count(what, count);
    eventCount += outcome.eventCount;
    doneCount += 1;
    const { eventCount: events, lastedMs, digest, violation } = outcome;
    if (seedCount === 1) print(`seed ${run.seed}: ${events} events in ${(lastedMs / 1000).toFixed(1)} simulated seconds, trace ${digest}`);
    if (violation !== undefined) failures.push({ run, outcome });
    if (violation !== undefined && isExhaustive) print(`seed ${run.seed}: ${violation.property}: ${violation.detail}`);
    if (performance.now() - saidAtMs < PROGRESS_MS) return;
    saidAtMs = performance.now();
    print(`... ${doneCount} of ${seedCount} seeds, ${secondsSince(beganAtMs)} s`);
  };
  const work = async (runner: Runner): Promise<void> => {
    while (!isDone()) {
      const run = { seed: next++, steps, selection };
      take(await runner.run(run, isTraced ? print : undefined), run);
    }
  };
  await Promise.all(runners.map(work));
  const [first] = failures.toSorted((one, other) => one.run.seed - other.run.seed);
  if (first !== undefined) await report(first, options, runners[0]!, print);
  else if (tally.entries().length > 0)
    print(
      tally
        .entries()
        .map(([what, count]) => `${what} ${count}`)
        .join(', '),
    );
  const shownCount = first === undefined || isExhaustive ? doneCount : first.run.seed - firstSeed + 1;
  const violations = isExhaustive ? failures.length : Math.min(1, failures.length);
  print(`${shownCount} seeds, ${violations} violation${violations === 1 ? '' : 's'}, ${eventCount} events, ${secondsSince(beganAtMs)} s`);
  return failures.length === 0 ? 0 : 1;
}

async function report(failure: Failure, options: SeedsOptions, runner: Runner, print: (line: string) => void): Promise<void> {
  const { run, outcome } = failure;
  const { property, detail, atMs } = outcome.violation!;
  const { fault, isTraced, shrinkRunsMax, shrinkMs } = options;
  print(`VIOLATION of ${property}: ${detail}`);
  print(`  promise:  ${PROPERTIES[property]}`);
  print(`  seed:     ${run.seed}, after ${(atMs / 1000).toFixed(3)} simulated seconds`);
  print(`  commit:   ${commit()}${fault === undefined ? '' : `, with the planted fault ${fault}`}`);
  print(`  see it:   ${commandOf(run, fault)}`);
  if (isTraced || shrinkRunsMax === 0 || shrinkMs === 0) return;
  const untilMs = performance.now() + shrinkMs;
  const smallest = await shrink(failure, { runner, runsMax: shrinkRunsMax, isOver: () => performance.now() > untilMs });
  const { strikes, deviceCount, topicCount, roundCount, violation } = smallest.outcome;
  print(
    `  smallest: ${smallest.run.steps} steps, ${strikes.length} calamities, ${deviceCount} devices, ${topicCount} topics, ${roundCount} rounds, found in ${smallest.runCount} runs: ${violation!.detail}`,
  );
  print(`  see it:   ${commandOf(smallest.run, fault)}`);
}

/** What shows a run again. */
function commandOf({ seed, steps, selection }: Run, fault: string | undefined): string {
  return `npm run sim -- --seed ${seed} --steps ${steps}${argumentsOf(selection)}${fault === undefined ? '' : ` --fault ${fault}`} --trace`;
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

function secondsSince(beganAtMs: number): string {
  return ((performance.now() - beganAtMs) / 1000).toFixed(1);
}
