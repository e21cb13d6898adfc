/**
 * Faults to plant in the machine of a connection, each a change to its text, and what the model must say of it. One whose text
 * is not there exactly once fails loudly, so that the list cannot rot.
 */

import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import type * as ConnectionModel from './connection-model.testing.ts';

export interface MachineFault {
  readonly name: string;
  /** What is done wrong. */
  readonly does: string;
  readonly find: string;
  readonly replace: string;
  /** Part of what the model finds. */
  readonly foundAs: string;
}

export const MACHINE_FAULTS: readonly MachineFault[] = [
  {
    name: 'two-sockets',
    does: 'a connection that leaves keeps its old socket',
    find: "return [...effects, 'authorize'];",
    replace: "return ['authorize'];",
    foundAs: 'while a socket lives',
  },
  {
    name: 'growth-ends-early',
    does: 'the waits begin anew with every connection, however short',
    find: 'if (isProof) state.refusals = 0;',
    replace: 'if (isProof) state.refusals = state.attempt = 0;',
    foundAs: 'the growth ended before',
  },
  {
    name: 'late-timer-kills',
    does: 'a timer that comes late, after sleep, declares the link dead',
    find: 'if (moment.nowMs - state.dueMs > LATE_MS && !state.isLate) {',
    replace: 'if (moment.nowMs < 0) {',
    foundAs: 'given up by a timer that came late',
  },
  {
    name: 'offline-kills',
    does: 'the word of the platform that there is no network ends a live socket',
    find: 'online: ask, offline: ask, scouted',
    replace: 'online: ask, offline: giveUp, scouted',
    foundAs: 'offline ended a live socket',
  },
  {
    name: 'timer-left',
    does: 'a pause leaves its timer running',
    find: "enter(state, 'paused');",
    replace: "state.name = 'paused';",
    foundAs: 'paused with a timer left',
  },
  {
    name: 'clock-set-back',
    does: 'deadlines stay where they were when the clock is set back',
    find: 'state[deadline] -= backMs;',
    replace: 'state[deadline] -= 0 * backMs;',
    foundAs: 'due in',
  },
  {
    name: 'half-open-kept',
    does: 'a link that does not answer is asked again for ever',
    find: "enter(state, 'suspect', nowMs + (1 - PATIENCE) * state.answerMs);",
    replace: "enter(state, 'probing', nowMs + state.answerMs);",
    foundAs: 'a socket that never answers is kept',
  },
  {
    name: 'stop-ignored',
    does: 'a close code that says stop is taken for the network',
    find: "advice === 'stop' || (advice",
    replace: "(advice as string) === '' || (advice",
    foundAs: 'went on where it was told to stop',
  },
  {
    name: 'herd',
    does: 'the first wait is not spread',
    find: 'state.floorMs + backoffDelayMs(attempt, spreadMs, draw, backoff)',
    replace: 'state.floorMs + backoffDelayMs(attempt + 1, spreadMs, draw, backoff)',
    foundAs: 'wait 1 of',
  },
  {
    name: 'refusal-as-loss',
    does: 'a server that refuses is asked again as soon as one that cannot be reached',
    find: 'isRefused ? rules.backoff : {',
    replace: 'isRefused && false ? rules.backoff : {',
    foundAs: 'wait 2 of',
  },
  {
    name: 'loss-as-refusal',
    does: 'who cannot reach the server waits as long as who was refused',
    find: '{ capMs: CAP_MS, ...rules.backoff }',
    replace: 'rules.backoff',
    foundAs: 'wait 2 of',
  },
];

type Model = typeof ConnectionModel;

/** The model on the machine with a fault in it, or without one. */
export async function modelWith(fault: MachineFault | undefined): Promise<Model> {
  const entry = fileURLToPath(new URL('connection-model.testing.ts', import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    conditions: ['@holdfast/source'],
    logLevel: 'silent',
    plugins: [
      {
        name: 'plant',
        setup: (bundler) => {
          bundler.onLoad({ filter: /connection-machine\.ts$/ }, async ({ path }) => {
            const source = await readFile(path, 'utf8');
            if (fault === undefined) return { contents: source, loader: 'ts' };
            const count = source.split(fault.find).length - 1;
            if (count !== 1) throw new Error(`the fault "${fault.name}" wants its text exactly once, and finds it ${count} times`);
            return { contents: source.replace(fault.find, () => fault.replace), loader: 'ts' };
          });
        },
      },
    ],
  });
  return (await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString('base64')}`)) as Model;
}

/** What the model says of a machine: the first violation, or `undefined`. */
export function findViolation(model: Model, depth: number): string | undefined {
  try {
    for (const situation of model.explore(depth).situations) model.liveness(situation);
  } catch (error) {
    if (error instanceof model.ModelViolation) return error.message;
    throw error;
  }
  return undefined;
}
