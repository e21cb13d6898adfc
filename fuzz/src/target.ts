/** What is fuzzed: a world that takes inputs, and a generator of what it understands. Worlds are the oracles: they throw `Violation`. */

import type { Chance } from './chance.ts';
import type { Input, Step } from './input.ts';

/** What must not happen, happened. */
export class Violation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Violation';
  }
}

/** Throws `Violation` unless `holds`. */
export function demand(holds: boolean, message: () => string): asserts holds {
  if (!holds) throw new Violation(message());
}

/** Whatever was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`);
}

/** What stands for a while and is handed one input after the other. */
export interface World {
  /** Resolves when everything that the input leads to has happened. Rejects with `Violation`. */
  take(input: Input): Promise<void>;
  /** After each batch: that it still serves who behaves, and has kept nothing of who has gone. Rejects with `Violation`. */
  check(): Promise<void>;
  /** Ends it; rejects with `Violation` if something of it is left. */
  close(): Promise<void>;
}

export interface Target {
  readonly name: string;
  readonly does: string;
  /** What part of a run's inputs it gets. */
  readonly share: number;
  /** Inputs that one world takes. */
  readonly worldInputs: number;
  open(): Promise<World>;
  generate(chance: Chance): Input;
  step(chance: Chance): Step;
}
