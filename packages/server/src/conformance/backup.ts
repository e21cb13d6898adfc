/** Conformance of `backup`: a consistent copy of one moment, taken while writes go on, never over another file. */

import assert from 'node:assert/strict';
import type { TopicStore } from '../store.ts';
import { MiniSequencer, WIDE } from './mini-sequencer.ts';
import { abilityOf, type StoreCase, withStore } from './harness.ts';

export const backupCases: readonly StoreCase[] = [
  {
    name: 'a backup taken while writing is a prefix of the log with whole batches, and opens under new epochs',
    needs: 'backup',
    run: async (harness) => {
      const backup = abilityOf(harness.backup);
      await withStore(harness, async (store) => {
        const script = new MiniSequencer().found('a').found('b').register('a', 'k', '"kept"');
        for (let index = 0; index < 5000; index += 1) script.publish('a', pair(index)).publish('b', pair(index));
        await store.apply(script.take());
        const path = await backup.freshPath();
        let finished = false;
        const done = store.backup(path).then(() => (finished = true));
        let writtenCount = 5000;
        for (; !finished || writtenCount < 5010; writtenCount += 1) {
          await store.apply(script.publish('a', pair(writtenCount)).publish('b', pair(writtenCount)).take());
        }
        await done;
        assert.equal((await store.head('a'))?.last, writtenCount);
        const copy = await backup.restore(path);
        try {
          await assertPrefix(store, copy);
        } finally {
          await copy.close();
        }
      });
    },
  },
  {
    name: 'a backup never overwrites',
    needs: 'backup',
    run: async (harness) => {
      const backup = abilityOf(harness.backup);
      await withStore(harness, async (store) => {
        await store.apply(new MiniSequencer().found('a').publish('a', '1').take());
        const path = await backup.freshPath();
        await store.backup(path);
        await assert.rejects(store.backup(path), { name: 'HoldfastError', code: 'USAGE' });
        const copy = await backup.restore(path);
        assert.equal((await copy.head('a'))?.last, 1);
        await copy.close();
      });
    },
  },
];

function pair(index: number): string {
  return JSON.stringify({ pair: index });
}

async function assertPrefix(store: TopicStore, copy: TopicStore): Promise<void> {
  const [a, b] = [await copy.read('a', { after: 0 }, WIDE), await copy.read('b', { after: 0 }, WIDE)];
  assert.ok(a && b);
  assert.ok(a.last >= 5000);
  assert.equal(a.last, b.last, 'a batch is in the copy whole or not at all');
  const original = await store.read('a', { after: 0 }, { countMax: a.last, bytesMax: WIDE.bytesMax });
  assert.deepEqual(a.entries, original?.entries);
  assert.deepEqual(
    b.entries.map(({ payload }) => payload),
    a.entries.map(({ payload }) => payload),
  );
  assert.notEqual(a.epoch, original?.epoch);
  assert.notEqual(a.epoch, b.epoch);
  assert.deepEqual(await copy.registers('a', 0), [{ key: 'k', value: '"kept"', revision: 1 }]);
  const memory = await copy.outcomes('a', 'ann', 'phone');
  assert.equal(memory?.seq, a.last, 'the producers are of the same moment as the log');
  assert.deepEqual(memory?.recent.at(-1)?.outcome, { kind: 'accepted', offset: a.last, count: 1 });
}
