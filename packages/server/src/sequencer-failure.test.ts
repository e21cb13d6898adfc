/** HF-6.14, decision 8: a failed commit discards what was decided in memory, rebuilds it from the store, and refuses what was in flight. */

import { HoldfastError } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { SequencerStage } from './sequencer.testing.ts';

/** The store is tried again after this time, ms. */
const RELOAD_MS = 500;

let stage: SequencerStage;

beforeEach(async () => {
  stage = new SequencerStage();
  await Promise.all([stage.sequencer.open('t'), stage.clock.settle()]);
  stage.events.splice(0);
});

describe('HF-6.14, decision 8: a commit fails', () => {
  test('not stored: refused as retryable, nothing announced, and the same seqs take the same places afterwards', async () => {
    stage.store.fail('apply', 'before');
    stage.publish(1);
    stage.publish(2);
    expect(await stage.happened()).toEqual(['p1 STORE_UNAVAILABLE', 'p2 STORE_UNAVAILABLE', 'reload t']);
    expect(await stage.stored()).toEqual([]);
    stage.publish(1);
    stage.publish(2);
    expect(await stage.happened()).toEqual(['commit t 1-2', 'p1 at 1', 'p2 at 2']);
    expect(await stage.stored()).toEqual(['1', '2']);
  });

  test('stored and reported as failed: the resend gets the place that it has, and nothing is there twice', async () => {
    stage.store.fail('apply', 'after');
    stage.publish(1);
    stage.publish(2, { verdict: new HoldfastError('REFUSED') });
    expect(await stage.happened()).toEqual(['p1 STORE_UNAVAILABLE', 'p2 STORE_UNAVAILABLE', 'reload t']);
    const { log } = await stage.sequencer.open('t');
    expect(log.committed).toBe(1);
    stage.publish(1);
    stage.publish(2);
    stage.publish(3);
    expect(await stage.happened()).toEqual(['p1 at 1 again', 'p2 REFUSED', 'commit t 2-2', 'p3 at 2']);
    expect(await stage.stored()).toEqual(['1', '3']);
  });

  test('the batch that was decided on top of it goes with it, in every topic', async () => {
    await Promise.all([stage.sequencer.open('u'), stage.clock.settle()]);
    stage.events.splice(0);
    const gate = stage.store.hold('apply', 'before');
    stage.publish(1);
    await stage.clock.settle();
    stage.publish(2);
    stage.publish(1, { topic: 'u', producer: 'q' });
    await stage.clock.settle();
    gate.fail();
    const happened = await stage.happened();
    expect(happened).toEqual(['p1 STORE_UNAVAILABLE', 'p2 STORE_UNAVAILABLE', 'q1 STORE_UNAVAILABLE', 'reload t', 'reload u']);
    expect(stage.store.countOf('apply')).toBe(3);
    expect(await stage.stored('u')).toEqual([]);
  });

  test('HF-6.6: what was on its way behind it is stopped, not a hole', async () => {
    stage.store.fail('apply', 'before');
    stage.publish(1);
    await stage.clock.settle();
    stage.publish(2);
    stage.publish(3);
    expect(await stage.happened()).toEqual(['p1 STORE_UNAVAILABLE', 'reload t', 'p2 PIPELINE_STOPPED', 'p3 PIPELINE_STOPPED']);
    stage.publish(2);
    stage.publish(1);
    stage.publish(2);
    expect(await stage.happened()).toEqual(['p2 PIPELINE_STOPPED', 'commit t 1-2', 'p1 at 1', 'p2 at 2']);
  });

  test('a duplicate that waited for that commit is refused with it', async () => {
    const gate = stage.store.hold('apply', 'before');
    stage.publish(1);
    await stage.clock.settle();
    stage.publish(1);
    await stage.clock.settle();
    gate.fail();
    expect(await stage.happened()).toEqual(['p1 STORE_UNAVAILABLE', 'p1 STORE_UNAVAILABLE', 'reload t']);
  });

  test('registers go with it, and keep their revision', async () => {
    stage.write('a', 'max', 1);
    await stage.happened();
    stage.store.fail('apply', 'before');
    stage.write('a', 'max', 5);
    stage.write('a', 'max', 3);
    expect(await stage.happened()).toEqual(['a STORE_UNAVAILABLE', 'a STORE_UNAVAILABLE', 'reload t']);
    stage.write('a', 'max', 4);
    expect(await stage.happened()).toEqual(['register t 2', 'a=4@2']);
  });

  test('a mismatch that rested on a write that failed is no answer', async () => {
    const gate = stage.store.hold('apply', 'before');
    stage.write('a', 'replace', 'x', 0);
    await stage.clock.settle();
    stage.write('a', 'replace', 'y', 0);
    await stage.clock.settle();
    gate.fail();
    expect(await stage.happened()).toEqual(['a STORE_UNAVAILABLE', 'a STORE_UNAVAILABLE', 'reload t']);
    stage.write('a', 'replace', 'y', 0);
    expect(await stage.happened()).toEqual(['register t 1', 'a="y"@1']);
  });

  test('a full disk says so', async () => {
    stage.store.fail('apply', 'before', new HoldfastError('STORE_READ_ONLY'));
    stage.publish(1);
    expect(await stage.happened()).toContain('p1 STORE_READ_ONLY');
  });

  test.each([new Error('not dense'), new HoldfastError('STORE_CORRUPT')])('%s is retryable for those who wait', async (error) => {
    stage.store.fail('apply', 'before', error);
    stage.publish(1);
    expect(await stage.happened()).toContain('p1 STORE_UNAVAILABLE');
  });

  test('what waits for its end goes on', async () => {
    const gate = stage.store.hold('apply', 'before');
    stage.publish(1);
    await stage.clock.settle();
    const { log } = await stage.sequencer.open('t');
    stage.sequencer.afterPending(log, () => stage.events.push('signal'));
    const closing = stage.sequencer.close();
    gate.fail();
    expect(await stage.happened()).toEqual(['p1 STORE_UNAVAILABLE', 'signal', 'reload t']);
    await closing;
  });
});

describe('the store is away', () => {
  test('everything is refused, nothing is lost, and it goes on when the store is back', async () => {
    stage.publish(1);
    await stage.happened();
    stage.store.down();
    stage.publish(2);
    expect(await stage.happened()).toEqual(['p2 STORE_UNAVAILABLE']);
    stage.publish(3);
    expect(await stage.happened()).toEqual([]);
    await stage.clock.advance(RELOAD_MS);
    expect(await stage.happened()).toEqual(['p3 STORE_UNAVAILABLE']);
    stage.store.up();
    await stage.clock.advance(RELOAD_MS);
    expect(await stage.happened()).toEqual(['reload t']);
    stage.publish(3);
    stage.publish(2);
    stage.publish(3);
    expect(await stage.happened()).toEqual(['p3 PIPELINE_STOPPED', 'commit t 2-3', 'p2 at 2', 'p3 at 3']);
    expect(await stage.stored()).toEqual(['1', '2', '3']);
  });

  test('at the first use of a topic too', async () => {
    stage.store.down();
    stage.publish(1, { topic: 'u' });
    const opening = stage.sequencer.open('u');
    stage.publish(2, { topic: 'u' });
    await expect(opening).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true });
    expect(await stage.happened()).toEqual(['p1 STORE_UNAVAILABLE', 'p2 STORE_UNAVAILABLE']);
    stage.store.up();
    await stage.clock.advance(RELOAD_MS);
    stage.publish(2, { topic: 'u' });
    stage.publish(1, { topic: 'u' });
    stage.publish(2, { topic: 'u' });
    expect(await stage.happened()).toEqual(['reload u', 'p2 PIPELINE_STOPPED', 'commit u 1-2', 'p1 at 1', 'p2 at 2']);
  });

  test('while a producer is read: its publishes are refused in order, the next ones are stopped', async () => {
    const gate = stage.store.hold('outcomes', 'before');
    stage.publish(1);
    stage.publish(2);
    await stage.clock.settle();
    gate.fail();
    expect(await stage.happened()).toEqual(['p1 STORE_UNAVAILABLE', 'p2 STORE_UNAVAILABLE']);
    stage.publish(3);
    stage.publish(1);
    expect(await stage.happened()).toEqual(['p3 PIPELINE_STOPPED', 'commit t 1-1', 'p1 at 1']);
  });

  test('while the registers are read: the writes are refused, and the next one reads them again', async () => {
    const gate = stage.store.hold('registers', 'before');
    stage.write('a', 'max', 1);
    stage.write('b', 'max', 1);
    await stage.clock.settle();
    gate.fail();
    expect(await stage.happened()).toEqual(['a STORE_UNAVAILABLE', 'b STORE_UNAVAILABLE']);
    stage.write('a', 'max', 1);
    expect(await stage.happened()).toEqual(['register t 1', 'a=1@1']);
  });
});

describe('the log is read again while something else is being read', () => {
  /** A commit of another producer fails; the log is then being read again until the gate is passed. */
  async function failedCommit(): Promise<{ pass(): void }> {
    const head = stage.store.hold('head', 'after');
    stage.store.fail('apply', 'before');
    stage.publish(1, { producer: 'other' });
    await stage.clock.settle();
    expect(stage.events.splice(0)).toEqual(['other1 STORE_UNAVAILABLE']);
    return head;
  }

  test('publishes that wait for their producer keep their order, before and after what comes meanwhile', async () => {
    stage.publish(1, { producer: 'other' });
    await stage.happened();
    const outcomes = stage.store.hold('outcomes', 'after');
    const head = stage.store.hold('head', 'after');
    stage.publish(1);
    stage.publish(2);
    stage.store.fail('apply', 'before');
    stage.publish(2, { producer: 'other' });
    await stage.clock.settle();
    stage.publish(3);
    await stage.clock.settle();
    outcomes.pass();
    await stage.clock.settle();
    expect(stage.events.splice(0)).toEqual(['other2 STORE_UNAVAILABLE']);
    head.pass();
    expect(await stage.happened()).toEqual(['reload t', 'commit t 2-4', 'p1 at 2', 'p2 at 3', 'p3 at 4']);
  });

  test('what was read of a producer before is not used', async () => {
    stage.publish(1);
    await stage.happened();
    stage.sequencer.forgetIdle(stage.clock.now() + 1, () => true);
    const stale = stage.store.hold('outcomes', 'after');
    stage.publish(2);
    await stage.clock.settle();
    const head = await failedCommit();
    head.pass();
    expect(await stage.happened()).toEqual(['reload t', 'commit t 2-2', 'p2 at 2']);
    stale.pass();
    stage.publish(3);
    expect(await stage.happened()).toEqual(['commit t 3-3', 'p3 at 3']);
  });

  test('registers that were read before are not used, and the writes keep their order', async () => {
    const stale = stage.store.hold('registers', 'after');
    stage.write('a', 'replace', 'first');
    stage.write('a', 'replace', 'second');
    await stage.clock.settle();
    const head = await failedCommit();
    stage.write('a', 'replace', 'third');
    head.pass();
    expect(await stage.happened()).toEqual([
      'reload t',
      'register t 1',
      'register t 2',
      'register t 3',
      'a="first"@1',
      'a="second"@2',
      'a="third"@3',
    ]);
    stale.pass();
    stage.write('a', 'replace', 'fourth', 3);
    expect(await stage.happened()).toEqual(['register t 4', 'a="fourth"@4']);
  });

  test.each(Array.from({ length: 12 }, (_, ticks) => ticks))(
    'a head that was asked for before a removal began, %i ticks earlier, is not used',
    async (ticks) => {
      stage.publish(1);
      await stage.happened();
      const commit = stage.store.hold('apply', 'before');
      stage.publish(2);
      await stage.clock.settle();
      const head = stage.store.hold('head', 'after');
      const removal = stage.store.hold('remove', 'after');
      commit.fail();
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      const removing = stage.sequencer.remove('t');
      await stage.clock.settle();
      head.pass();
      await stage.clock.settle();
      stage.events.splice(0);
      stage.publish(1, { producer: 'q' });
      expect(await stage.happened()).toEqual([]);
      removal.pass();
      expect(await stage.happened()).toContain('q1 at 1');
      await removing;
    },
  );

  test('a head that was read before a later failure is not used', async () => {
    const late = await failedCommit();
    // The first reading is still under way when the store is asked again after a removal.
    const removing = stage.sequencer.remove('t');
    await stage.clock.settle();
    late.pass();
    await stage.clock.settle();
    await removing;
    stage.publish(1);
    await stage.clock.settle();
    expect(stage.events.at(-1)).toBe('p1 at 1');
    expect(await stage.stored()).toEqual(['1']);
  });
});
