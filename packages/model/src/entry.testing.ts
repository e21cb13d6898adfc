/** Entries of a log for tests, numbered by themselves. */

import type { Data, EntryRecord } from '@holdfast/wire';

/** An entry of a stranger's, unless `own` says whose. */
export function entry(offset: number, data: Data, own: Partial<EntryRecord> = {}): EntryRecord {
  return { offset, producer: 'other', seq: offset, from: 'bob', at: 1_000 + offset, data, ...own };
}

/** The code of the `HoldfastError` that `run` throws, or the message of another error; `undefined` if it throws nothing. */
export function thrown(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).message;
  }
}
