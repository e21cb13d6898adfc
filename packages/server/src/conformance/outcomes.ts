/** Conformance of `outcomes` and `expireProducers`: what a store remembers of each producer (HF-6.2 to HF-6.5, HF-6.9). */

import assert from 'node:assert/strict';
import type { TopicStore } from '../store.ts';
import { MiniSequencer } from './mini-sequencer.ts';
import { type StoreCase, withStore } from './harness.ts';

export const outcomeCases: readonly StoreCase[] = [
  {
    name: 'outcomes hold offsets, counts and refusals, in the order of seqs',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer().found('a').publish('a', '1', { at: 10 }).refuse('a', 'FORBIDDEN', 'not "here"\n', { at: 20 });
        await store.apply(script.publish('a', ['2', '3'], { at: 30 }).take());
        assert.deepEqual(await store.outcomes('a', 'ann', 'phone'), {
          seq: 3,
          at: 30,
          recent: [
            { seq: 1, digest: 'digest phone 1', outcome: { kind: 'accepted', offset: 1, count: 1 } },
            { seq: 2, digest: 'digest phone 2', outcome: { kind: 'refused', code: 'FORBIDDEN', message: 'not "here"\n' } },
            { seq: 3, digest: 'digest phone 3', outcome: { kind: 'accepted', offset: 2, count: 2 } },
          ],
        });
      }),
  },
  {
    name: 'producers are told apart by topic, by subject and by name',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer().found('a').found('b').publish('a', '1').publish('a', '2', { subject: 'bob' });
        await store.apply(script.publish('a', '3').publish('b', '4').refuse('a', 'REFUSED', 'no', { producer: 'tablet' }).take());
        assert.equal((await store.outcomes('a', 'ann', 'phone'))?.seq, 2);
        assert.equal((await store.outcomes('a', 'bob', 'phone'))?.seq, 1);
        assert.equal((await store.outcomes('a', 'ann', 'tablet'))?.seq, 1);
        assert.equal((await store.outcomes('b', 'ann', 'phone'))?.seq, 1);
        assert.equal(await store.outcomes('b', 'bob', 'phone'), undefined);
      }),
  },
  {
    name: 'only the last outcomesMax are kept, over batches and restarts',
    run: async (harness) => {
      let store = await harness.open({ outcomesMax: 5 });
      try {
        assert.equal(store.outcomesMax, 5);
        const script = new MiniSequencer().found('a');
        for (let seq = 1; seq <= 12; seq += 1) {
          if (seq % 4 === 0) script.refuse('a', 'REFUSED', `no ${seq}`);
          else script.publish('a', `${seq}`);
        }
        await store.apply(script.take());
        await assertRecent(store, [8, 9, 10, 11, 12]);
        store = await harness.reopen(store);
        await assertRecent(store, [8, 9, 10, 11, 12]);
        await store.apply(script.publish('a', '13').take());
        await assertRecent(store, [9, 10, 11, 12, 13]);
        store = await harness.reopen(store);
        await assertRecent(store, [9, 10, 11, 12, 13]);
      } finally {
        await store.close();
      }
    },
  },
  {
    name: 'outcomes outlive restarts, the trimming of their entries, and many other producers',
    run: async (harness) => {
      let store = await harness.open();
      try {
        const script = new MiniSequencer().found('a').found('b').publish('a', ['1', '2']).refuse('a', 'REFUSED', 'no').publish('a', '3');
        await store.apply(script.take());
        const before = await store.outcomes('a', 'ann', 'phone');
        await store.trim('a', { countMax: 0 });
        for (let batch = 0; batch < 20; batch += 1) {
          for (let index = 0; index < 1000; index += 1) script.publish('b', '0', { producer: `crowd ${batch} ${index}` });
          await store.apply(script.take());
        }
        assert.deepEqual(await store.outcomes('a', 'ann', 'phone'), before);
        store = await harness.reopen(store);
        assert.deepEqual(await store.outcomes('a', 'ann', 'phone'), before);
        assert.equal((await store.outcomes('b', 'ann', 'crowd 0 0'))?.seq, 1);
        assert.equal((await store.outcomes('b', 'ann', 'crowd 19 999'))?.recent[0]?.digest, 'digest crowd 19 999 1');
        await store.apply(script.publish('a', '4').take());
        assert.deepEqual((await store.outcomes('a', 'ann', 'phone'))?.recent.at(-1)?.outcome, { kind: 'accepted', offset: 4, count: 1 });
      } finally {
        await store.close();
      }
    },
  },
  {
    name: 'silent producers expire, in all topics, and stay forgotten after a restart',
    run: async (harness) => {
      let store = await harness.open();
      try {
        const script = new MiniSequencer().found('a').found('b').publish('a', '1', { at: 100, producer: 'old' });
        script.publish('b', '1', { at: 199, producer: 'old' }).refuse('b', 'REFUSED', 'no', { at: 150, producer: 'refused' });
        script.publish('a', '1', { at: 100, producer: 'back' }).publish('a', '1', { at: 200, producer: 'back' });
        await store.apply(script.take());
        assert.equal(await store.expireProducers(100), 0);
        assert.equal(await store.expireProducers(200), 3);
        assert.equal(await store.expireProducers(200), 0);
        for (const restarted of [false, true]) {
          if (restarted) store = await harness.reopen(store);
          assert.equal(await store.outcomes('a', 'ann', 'old'), undefined);
          assert.equal(await store.outcomes('b', 'ann', 'old'), undefined);
          assert.equal(await store.outcomes('b', 'ann', 'refused'), undefined);
          assert.equal((await store.outcomes('a', 'ann', 'back'))?.seq, 2);
          assert.equal((await store.head('a'))?.last, 3, 'entries stay');
        }
        await store.apply(script.goOnProducer('a', 0, { producer: 'old' }).publish('a', '2', { at: 300, producer: 'old' }).take());
        assert.equal((await store.outcomes('a', 'ann', 'old'))?.recent.length, 1);
      } finally {
        await store.close();
      }
    },
  },
];

async function assertRecent(store: TopicStore, seqs: readonly number[]): Promise<void> {
  const memory = await store.outcomes('a', 'ann', 'phone');
  assert.equal(memory?.seq, seqs.at(-1));
  assert.deepEqual(
    memory?.recent.map(({ seq }) => seq),
    seqs,
  );
  for (const { seq, digest, outcome } of memory?.recent ?? []) {
    assert.equal(digest, `digest phone ${seq}`);
    // Every fourth was refused, so the others' offsets lag behind.
    if (seq % 4 === 0) assert.deepEqual(outcome, { kind: 'refused', code: 'REFUSED', message: `no ${seq}` });
    else assert.deepEqual(outcome, { kind: 'accepted', offset: seq - Math.floor(seq / 4), count: 1 });
  }
}
