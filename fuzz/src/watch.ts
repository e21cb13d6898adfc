/**
 * Watches a process that works. One whose event loop does not turn for two seconds is ended, one that has ended by itself has crashed; in
 * both cases the black box has the inputs, and new processes make them fewer.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inputsOf, lineOf } from './input.ts';
import type { FailureReport, Figures, Orders, Report } from './orders.ts';
import { shrink } from './shrink.ts';

/** How often it is looked, and how many looks without a beat are too many: 2 s. If this process is slow itself, the looks are late too. */
const LOOK_MS = 250;
const LOOKS_MAX = 8;
const TRIALS_MAX = 40;
const HANG = 'did not return to the event loop within 2 s';

export interface WatchResult {
  readonly figures: Figures | undefined;
  readonly failure: FailureReport | undefined;
}

/** Carries out orders in a process of their own. A hang is made smaller by `trialsMax` processes at the most, each of which takes seconds. */
export async function watch(given: Omit<Orders, 'boxPath'>, trialsMax: number = TRIALS_MAX): Promise<WatchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-fuzz-'));
  try {
    const boxPath = join(folder, 'inputs');
    const result = await runOnce({ ...given, boxPath });
    if (typeof result !== 'string') return { figures: result.figures, failure: result.failure };
    const inputs = inputsOf(await readFile(boxPath, 'utf8').catch(() => ''));
    if (given.mode === 'judge') return { figures: undefined, failure: { message: result, lines: inputs.map(lineOf), isShrunk: false } };
    const judge = async (candidate: Parameters<typeof shrink>[0]): Promise<string | undefined> => {
      const said = await runOnce({ ...given, mode: 'judge', lines: candidate.map(lineOf), boxPath });
      return typeof said === 'string' ? said : said.failure?.message;
    };
    const small = await shrink(inputs, { judge, trialsMax, message: result });
    return { figures: undefined, failure: { message: result, lines: (small ?? inputs).map(lineOf), isShrunk: small !== undefined } };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the process reported, or how it ended without a report. */
function runOnce(orders: Orders): Promise<Extract<Report, { readonly type: 'done' }> | string> {
  return new Promise((resolve, reject) => {
    const worker = fork(fileURLToPath(new URL('../dist/worker.js', import.meta.url)), [JSON.stringify(orders)], {
      execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let done: Extract<Report, { readonly type: 'done' }> | undefined;
    const end = guard(worker);
    let complaints = '';
    worker.stderr!.on('data', (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-2_000)));
    worker.on('message', (report: Report) => {
      if (report.type === 'done') done = report;
    });
    worker.on('error', reject);
    worker.on('exit', (code, signal) => {
      const isHung = end();
      resolve(done ?? (isHung ? `it ${HANG}` : `the process ended with ${signal ?? code}: ${complaints}`));
    });
  });
}

/** Ends a process that does not beat, and says at the end whether it did. */
function guard(worker: ChildProcess): () => boolean {
  let isReady = false;
  let looks = 0;
  let isHung = false;
  worker.on('message', ({ type }: Report) => {
    looks = 0;
    isReady = type !== 'done';
  });
  const timer = setInterval(() => {
    looks += isReady ? 1 : 0;
    if (looks <= LOOKS_MAX) return;
    isHung = true;
    worker.kill('SIGKILL');
  }, LOOK_MS);
  return () => {
    clearInterval(timer);
    return isHung;
  };
}
