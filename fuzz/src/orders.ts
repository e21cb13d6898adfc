/** What the watching process and the one that works say to each other. */

import type { Fault } from './faults.ts';

/** Given to a new process. Inputs travel as lines (`input.ts`). */
export interface Orders {
  readonly target: string;
  /** `run`: a campaign. `judge`: these inputs in one world. */
  readonly mode: 'run' | 'judge';
  readonly seed: number;
  readonly inputCount: number;
  readonly durationMs: number;
  readonly isGuided: boolean;
  readonly lines: readonly string[];
  /** Where each input is written before it is taken. */
  readonly boxPath: string;
  readonly fault: Fault | undefined;
}

/** The figures of a campaign. */
export interface Figures {
  readonly inputCount: number;
  readonly durationMs: number;
  readonly blocksReached: number;
  readonly blocksTotal: number;
  readonly heapGrowthBytes: number | undefined;
  readonly kept: readonly string[];
  /** What of each module was reached. */
  readonly modules: readonly { readonly name: string; readonly reached: number; readonly count: number }[];
}

export type Report =
  /** It begins; from now on it is watched. */
  | { readonly type: 'ready' }
  /** The event loop turns. */
  | { readonly type: 'beat' }
  /** `isShrunk`: the inputs fail again, and are as few as could be found. */
  | { readonly type: 'done'; readonly figures: Figures; readonly failure?: FailureReport };

export interface FailureReport {
  readonly message: string;
  readonly lines: readonly string[];
  readonly isShrunk: boolean;
}
