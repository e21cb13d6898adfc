import { createMemoryDisk, createMemoryStore, type MemoryDisk, type TopicStore } from '@holdfast/server';
import { lackOf, MiniSequencer, storeConformance, type StoreCase, type StoreHarness } from '@holdfast/server/conformance';
import { describe, expect, test } from 'vitest';
import { observeStore, type ObservedCommit, type ObservedRead } from './observed-store.ts';

const disks = new Map<TopicStore, MemoryDisk>();

function open(disk: MemoryDisk, outcomesMax: number): TopicStore {
  const store = observeStore(createMemoryStore({ disk, outcomesMax }));
  disks.set(store, disk);
  return store;
}

const harness: StoreHarness = {
  name: 'observed memory',
  open: async ({ outcomesMax = 64 } = {}) => open(createMemoryDisk(), outcomesMax),
  reopen: async (store) => {
    await store.close();
    return open(disks.get(store)!, store.outcomesMax);
  },
  backup: { lacks: 'memory has no file to copy' },
  kill: { lacks: 'memory dies with its process' },
  tinyDisk: { lacks: 'memory has no disk to fill' },
  damage: { lacks: 'memory has no file to damage' },
};

describe('an observed store conforms as the one within does', () => {
  const assertConforms = (storeCase: StoreCase): Promise<void> => storeCase.run(harness);
  for (const storeCase of storeConformance.filter((one) => lackOf(one, harness) === undefined))
    test(storeCase.name, () => assertConforms(storeCase));
});

describe('what is told', () => {
  function observed(): { store: TopicStore; commits: ObservedCommit[]; reads: ObservedRead[] } {
    const commits: ObservedCommit[] = [];
    const reads: ObservedRead[] = [];
    const store = observeStore(createMemoryStore(), { onCommit: (commit) => commits.push(commit) });
    store.observe({ onRead: (read) => reads.push(read) });
    return { store, commits, reads };
  }

  test('each batch and each page, with what was in it and how long it took', async () => {
    const { store, commits, reads } = observed();
    await store.apply(new MiniSequencer().found('a').publish('a', '1').publish('a', '2').take());
    await store.read('a', { after: 0 }, { countMax: 10, bytesMax: 1_000 });
    await store.read('b', { after: 0 }, { countMax: 10, bytesMax: 1_000 });
    expect(commits).toMatchObject([{ publishes: 2, registers: 0, durationMs: expect.any(Number) }]);
    expect(reads).toMatchObject([{ entries: 2 }, { entries: 0 }]);
    expect(commits[0]).not.toHaveProperty('error');
  });

  test('failures, which the caller gets as they are', async () => {
    const { store, commits, reads } = observed();
    await store.close();
    const failure = await store.apply(new MiniSequencer().found('a').take()).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(commits).toMatchObject([{ error: failure }]);
    await expect(store.read('a', { after: 0 }, { countMax: 1, bytesMax: 1 })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(reads).toMatchObject([{ entries: 0, error: { code: 'STORE_UNAVAILABLE' } }]);
  });
});
