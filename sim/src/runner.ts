/** Who carries out runs: this process, or another one that holds a build of its own. Each does one run after the other. */

import { fork, type ChildProcess } from 'node:child_process';
import { forbidRealWorld } from './real-world.ts';
import type { Selection } from './selection.ts';
import { simulate, type Outcome } from './simulation.ts';
import { Tally } from './tally.ts';

/** All that a run depends on, beside the code. */
export interface Run {
  readonly seed: number;
  /** Actions of all devices together. */
  readonly steps: number;
  readonly selection: Selection;
}

export interface RunResult {
  readonly outcome: Outcome;
  /** What happened how often. */
  readonly counts: readonly (readonly [string, number])[];
}

export interface Runner {
  /** `print`: gets every line of the trace. Rejects if the process that carries it out ends. */
  run(run: Run, print?: (line: string) => void): Promise<RunResult>;
  close(): void;
}

/** What is said to a worker and what it says. */
export type ToWorker = { readonly run: Run; readonly isTraced: boolean };
export type FromWorker = { readonly line: string } | { readonly result: RunResult };

/** Runs in this process. */
export async function runHere({ seed, steps, selection }: Run, print?: (line: string) => void): Promise<RunResult> {
  const tally = new Tally();
  const realWorld = forbidRealWorld();
  try {
    const outcome = await simulate({ seed, steps, selection, tally, print });
    return { outcome, counts: tally.entries() };
  } finally {
    realWorld.restore();
  }
}

export function createLocalRunner(): Runner {
  return { run: runHere, close: () => {} };
}

/** How long one run may take, ms of real time: a thousand times the usual. */
const RUN_MS_MAX = 20_000;

/** `program`: a built `worker.ts`, or what becomes one when it is told `--worker`. A run in which a turn of the event loop has no end is ended from outside, and fails. */
export function createForkedRunner(program: string, runMsMax: number = RUN_MS_MAX): Runner {
  return new ForkedRunner(program, runMsMax);
}

class ForkedRunner implements Runner {
  readonly #program: string;
  readonly #runMsMax: number;
  #child: ChildProcess | undefined;

  constructor(program: string, runMsMax: number) {
    this.#program = program;
    this.#runMsMax = runMsMax;
  }

  run(run: Run, print?: (line: string) => void): Promise<RunResult> {
    const child = (this.#child ??= fork(this.#program, ['--worker'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        child.removeAllListeners('message');
        child.removeAllListeners('exit');
      };
      const timer = setTimeout(() => {
        finish();
        this.#child = undefined;
        child.kill('SIGKILL');
        resolve({ outcome: endless(run, this.#runMsMax), counts: [] });
      }, this.#runMsMax);
      child.on('exit', (code) => {
        finish();
        reject(new Error(`the process that ran seed ${run.seed} ended with ${code}`));
      });
      child.on('message', (message: FromWorker) => {
        if ('line' in message) return print?.(message.line);
        finish();
        resolve(message.result);
      });
      child.send({ run, isTraced: print !== undefined } satisfies ToWorker);
    });
  }

  close(): void {
    this.#child?.disconnect();
    this.#child = undefined;
  }
}

/** Nothing is known of it but that it does not end. */
function endless({ seed, selection }: Run, runMsMax: number): Outcome {
  const violation = { property: 'all-settled', detail: `no end after ${runMsMax} ms of real time`, atMs: 0 } as const;
  const { strikes = [], devicesMax = 0, topicsMax = 0, roundsMax = 0 } = selection;
  const size = { strikes, deviceCount: devicesMax, topicCount: topicsMax, roundCount: roundsMax };
  return { seed, violation, ...size, eventCount: 0, lastedMs: 0, digest: '' };
}
