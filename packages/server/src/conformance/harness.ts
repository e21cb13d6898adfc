/** What a store's tests give to the conformance suite: how to open, restart, copy, kill and damage that store. */

import type { TopicStore } from '../store.ts';

/** Says why a store cannot have an ability. Shown beside the skipped cases. */
export interface Lack {
  readonly lacks: string;
}

/** One store under test. Everything that it makes (folders, processes) it also cleans up. */
export interface StoreHarness {
  readonly name: string;
  /** A new, empty store. */
  open(options?: { readonly outcomesMax?: number }): Promise<TopicStore>;
  /** The same data and options after a restart: closes the store and opens it again. */
  reopen(store: TopicStore): Promise<TopicStore>;
  readonly backup: BackupAbility | Lack;
  readonly kill: KillAbility | Lack;
  readonly tinyDisk: TinyDiskAbility | Lack;
  readonly damage: DamageAbility | Lack;
}

export interface BackupAbility {
  /** A path at which nothing is. */
  freshPath(): Promise<string>;
  /** Opens the backup at `path` as a store, each topic with a new epoch (DESIGN's decision 11). */
  restore(path: string): Promise<TopicStore>;
}

export interface KillAbility {
  /**
   * Runs `writeUntilKilled` on one data folder in a process of its own, which prints each acknowledged batch as a line,
   * and kills it with SIGKILL as soon as `lineCount` lines have come. Resolves with all complete lines and the store, opened
   * on what the process left. A further call goes on with the same folder: close the store first.
   */
  killedWriter(): (seed: number, lineCount: number) => Promise<{ readonly lines: readonly string[]; readonly store: TopicStore }>;
}

export interface TinyDisk {
  readonly store: TopicStore;
  /** Takes all the space that is left. */
  fill(): Promise<void>;
  /** Gives it back. */
  free(): Promise<void>;
}

export interface TinyDiskAbility {
  /** What plays the disk, for the report: a mounted file system, or a bound of the database itself. */
  readonly description: string;
  open(): Promise<TinyDisk>;
}

export interface DamageAbility {
  /** What can happen to the file, each with what it does to it. */
  readonly kinds: readonly string[];
  /** Closes the store, damages its file, and resolves with a function that tries to open it again. */
  damage(store: TopicStore, kind: string): Promise<() => Promise<TopicStore>>;
}

export type StoreAbility = 'backup' | 'kill' | 'tinyDisk' | 'damage';

/** One thing that a store must do. `run` rejects with an assertion where it does not. */
export interface StoreCase<Harness = StoreHarness> {
  readonly name: string;
  readonly needs?: StoreAbility;
  run(harness: Harness): Promise<void>;
}

/** Why this case does not apply to the harness's store, or `undefined` where it does. */
export function lackOf(storeCase: StoreCase, harness: StoreHarness): string | undefined {
  const ability = storeCase.needs === undefined ? undefined : harness[storeCase.needs];
  return ability !== undefined && 'lacks' in ability ? ability.lacks : undefined;
}

/** The ability that a case needs; a runner that did not ask `lackOf` is told so. */
export function abilityOf<A extends object>(ability: A | Lack): A {
  if ('lacks' in ability) throw new Error(`This store lacks what the case needs: ${ability.lacks}. Ask lackOf before running a case.`);
  return ability;
}

/** Opens a store for one case and closes it, whatever happens. */
export async function withStore(harness: StoreHarness, use: (store: TopicStore) => Promise<void>): Promise<void> {
  const store = await harness.open();
  try {
    await use(store);
  } finally {
    await store.close();
  }
}
