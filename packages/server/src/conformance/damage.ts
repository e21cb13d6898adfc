/** Conformance when things break: `kill -9`, a full disk, a damaged or foreign file. */

import assert from 'node:assert/strict';
import { assertNothingLost, seededRandom } from './killed-writer.ts';
import { MiniSequencer, WIDE } from './mini-sequencer.ts';
import { abilityOf, type StoreCase } from './harness.ts';

const KILL_ROUNDS = 5;

export const damageCases: readonly StoreCase[] = [
  {
    name: 'kill -9 in the middle of commits loses nothing acknowledged and leaves whole batches',
    needs: 'kill',
    run: async (harness) => {
      const kill = abilityOf(harness.kill).killedWriter();
      const random = seededRandom(20);
      for (let round = 0; round < KILL_ROUNDS; round += 1) {
        const { lines, store } = await kill(round + 1, 1 + Math.floor(random() * 120));
        try {
          assert.ok(lines.length > 0, 'the writer acknowledged something');
          await assertNothingLost(store, Math.max(...lines.map(Number)));
        } finally {
          await store.close();
        }
      }
    },
  },
  {
    name: 'a full disk refuses whole batches, reading goes on, and it mends itself when there is space',
    needs: 'tinyDisk',
    run: async (harness) => {
      const disk = await abilityOf(harness.tinyDisk).open();
      const { store } = disk;
      try {
        const script = new MiniSequencer().found('a').found('b');
        await store.apply(script.publish('a', '"first"').register('a', 'k', '1').take());
        await disk.fill();
        const refusedFrom = await applyUntilRefused(store.apply.bind(store), script);
        const head = { epoch: 'epoch of a', first: 1, last: refusedFrom.count + 1, revision: 1 };
        assert.deepEqual(await store.head('a'), head);
        assert.equal((await store.head('b'))?.last, refusedFrom.count);
        assert.equal((await store.read('a', { after: 0 }, WIDE))?.entries.length, head.last);
        assert.equal((await store.outcomes('a', 'ann', 'phone'))?.seq, head.last);

        const behind = new MiniSequencer()
          .goOn('a', head.last + 1, 1)
          .goOnProducer('a', head.last + 1)
          .publish('a', '"behind"')
          .take();
        const [again, queued] = await Promise.allSettled([store.apply(refusedFrom.batch), store.apply(behind)]);
        assert.deepEqual(
          [again, queued].map(codeOf),
          ['STORE_READ_ONLY', 'STORE_READ_ONLY'],
          'what is queued behind a failure fails with it',
        );
        assert.deepEqual(await store.head('a'), head);

        await disk.free();
        await store.apply(refusedFrom.batch);
        assert.equal((await store.head('a'))?.last, head.last + 1);
        assert.equal((await store.head('b'))?.last, refusedFrom.count + 1);
        assert.equal((await store.outcomes('b', 'ann', 'phone'))?.seq, refusedFrom.count + 1);
      } finally {
        await store.close();
      }
    },
  },
  {
    name: 'a batch too large for the disk takes what is behind it with it, and nothing that is before it',
    needs: 'tinyDisk',
    run: async (harness) => {
      const { store } = await abilityOf(harness.tinyDisk).open();
      try {
        const script = new MiniSequencer().found('a').publish('a', '"small"');
        const batches = [
          script.take(),
          script.publish('a', Array<Uint8Array>(10).fill(new Uint8Array(1_000_000))).take(),
          script.publish('a', '"behind"').take(),
        ];
        const results = await Promise.allSettled(batches.map((batch) => store.apply(batch)));
        assert.deepEqual(results.map(codeOf), ['stored', 'STORE_READ_ONLY', 'STORE_READ_ONLY']);
        assert.equal((await store.head('a'))?.last, 1);
        await store.apply(new MiniSequencer().goOn('a', 1, 0).goOnProducer('a', 1).publish('a', '"small again"').take());
        assert.equal((await store.head('a'))?.last, 2);
      } finally {
        await store.close();
      }
    },
  },
  {
    name: 'a damaged or foreign file is said to be one, with what to do',
    needs: 'damage',
    run: async (harness) => {
      const ability = abilityOf(harness.damage);
      for (const kind of ability.kinds) {
        const store = await harness.open();
        const script = new MiniSequencer().found('a');
        for (let index = 0; index < 2000; index += 1) script.publish('a', JSON.stringify('y'.repeat(200)));
        await store.apply(script.take());
        const open = await ability.damage(store, kind);
        const error: unknown = await open().then(
          () => assert.fail(`${kind}: it opened`),
          (reason: unknown) => reason,
        );
        assert.deepEqual(
          [(error as { code?: string }).code, typeof (error as { hint?: string }).hint],
          ['STORE_CORRUPT', 'string'],
          `${kind}: ${String(error)}`,
        );
      }
    },
  },
];

/** Applies batches of 20 kB over two topics until one is refused; asserts how, and hands that batch back. */
async function applyUntilRefused(apply: (batch: ReturnType<MiniSequencer['take']>) => Promise<void>, script: MiniSequencer) {
  const payload = JSON.stringify('z'.repeat(10_000));
  for (let count = 0; count < 10_000; count += 1) {
    const batch = script.publish('a', payload).publish('b', payload).take();
    const [result] = await Promise.allSettled([apply(batch)]);
    if (result.status === 'fulfilled') continue;
    assert.equal(codeOf(result), 'STORE_READ_ONLY', String(result.reason));
    return { batch, count };
  }
  return assert.fail('The disk never filled up.');
}

function codeOf(result: PromiseSettledResult<void>): unknown {
  return result.status === 'rejected' ? (result.reason as { code?: unknown }).code : 'stored';
}
