import { describe, expect, test } from 'vitest';
import { lackOf, MiniSequencer, storeConformance, type StoreCase, type StoreHarness } from './conformance.ts';
import { createMemoryDisk, createMemoryStore, type MemoryDisk } from './store-memory.ts';
import type { TopicStore } from './store.ts';

function memoryHarness(): StoreHarness {
  const disks = new Map<TopicStore, MemoryDisk>();
  const open = async (disk: MemoryDisk, outcomesMax: number): Promise<TopicStore> => {
    const store = createMemoryStore({ disk, outcomesMax });
    disks.set(store, disk);
    return store;
  };
  return {
    name: 'memory',
    open: async (options = {}) => open(createMemoryDisk(), options.outcomesMax ?? 64),
    reopen: async (store) => {
      await store.close();
      return open(disks.get(store)!, store.outcomesMax);
    },
    backup: { lacks: 'memory has no file to copy' },
    kill: { lacks: 'memory dies with its process' },
    tinyDisk: { lacks: 'memory has no disk to fill' },
    damage: { lacks: 'memory has no file to damage' },
  };
}

describe('the memory store conforms', () => {
  const harness = memoryHarness();
  const assertConforms = (storeCase: StoreCase): Promise<void> => storeCase.run(harness);
  for (const storeCase of storeConformance) {
    const lack = lackOf(storeCase, harness);
    test.skipIf(lack !== undefined)(lack === undefined ? storeCase.name : `${storeCase.name} (${lack})`, () => assertConforms(storeCase));
  }

  test('and exactly these cases do not apply to it', () => {
    const skipped = storeConformance.filter((storeCase) => lackOf(storeCase, harness) !== undefined);
    expect(skipped.map(({ needs }) => needs)).toEqual(['backup', 'backup', 'kill', 'tinyDisk', 'tinyDisk', 'damage']);
  });
});

describe('what only the memory store does', () => {
  test('two stores on different disks share nothing, two on one disk share everything', async () => {
    const disk = createMemoryDisk();
    const first = createMemoryStore({ disk });
    await first.apply(new MiniSequencer().found('a').publish('a', '1').take());
    await first.close();
    expect(await createMemoryStore().head('a')).toBeUndefined();
    expect(await createMemoryStore({ disk }).head('a')).toMatchObject({ last: 1 });
    expect([...disk.topics.keys()]).toEqual(['a']);
  });

  test('it says what it survives and how much it remembers', () => {
    const store = createMemoryStore();
    expect([store.durability, store.outcomesMax]).toEqual(['memory', 64]);
  });

  test('backup is refused as a mistake of the caller, with what to do instead', async () => {
    await expect(createMemoryStore().backup('/nowhere')).rejects.toMatchObject({ code: 'USAGE', hint: expect.stringContaining('SQLite') });
  });

  test('outcomesMax must be a whole number from 1', () => {
    for (const outcomesMax of [0, -1, 1.5, Number.NaN]) expect(() => createMemoryStore({ outcomesMax })).toThrow(/outcomesMax/);
  });

  test('a page already read is not changed by what comes after it', async () => {
    const store = createMemoryStore();
    const script = new MiniSequencer().found('a').publish('a', '1').publish('a', '2');
    await store.apply(script.take());
    const page = await store.read('a', { after: 0 }, { countMax: 10, bytesMax: 1000 });
    await store.trim('a', { countMax: 0 });
    await store.apply(script.publish('a', '3').take());
    expect(page?.entries.map(({ payload }) => payload)).toEqual(['1', '2']);
    expect(page?.last).toBe(2);
  });
});
