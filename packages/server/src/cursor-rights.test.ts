import { HoldfastError } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { CursorStage } from './cursor.testing.ts';
import type { Grant } from './rights.ts';

/** A failed asking is tried again after this time, ms. */
const RETRY_MS = 500;

const forbidden = new HoldfastError('FORBIDDEN');

let stage: CursorStage;

beforeEach(() => {
  stage = new CursorStage();
});

describe('HF-5.10, decision 15: rights per page and per flush', () => {
  test('asked for every page', async () => {
    await stage.fill(7);
    let asked = 0;
    const ask = (): Promise<Grant> => {
      asked += 1;
      return asked < 3 ? Promise.resolve({}) : Promise.reject(forbidden);
    };
    const consumer = await stage.consume({}, { ask });
    expect(await consumer.got()).toEqual(['1', '2', '3', '4', '5', '6', 'paused FORBIDDEN']);
    await stage.fill(1);
    expect(await consumer.got()).toEqual([]);
  });

  test('a grant that ends pauses at the next flush, is said once, and new rights go on from there', async () => {
    const untilMs = stage.clock.now() + 1_000;
    const consumer = await stage.consume({}, { grant: { untilMs } });
    await stage.fill(1);
    await stage.clock.advance(1_000);
    await stage.fill(2);
    stage.write('a', 1);
    expect(await consumer.got()).toEqual(['1', 'paused FORBIDDEN']);
    consumer.grant = forbidden;
    await consumer.cursor.recheck();
    expect(await consumer.got()).toEqual([]);
    consumer.grant = {};
    await consumer.cursor.recheck();
    expect(await consumer.got()).toEqual(['reg a=1@1', '2', '3']);
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['4']);
  });

  test('a recheck holds everything back until the answer, and one that takes the right away pauses', async () => {
    const { ask, answer } = askedByHand();
    const consumer = await stage.consume({}, { ask });
    const checking = consumer.cursor.recheck();
    await stage.fill(1);
    expect(await consumer.got()).toEqual([]);
    answer(0, {});
    await checking;
    expect(stage.store.countOf('read')).toBe(0);
    await stage.clock.settle();
    answer(1, {});
    expect(await consumer.got()).toEqual(['1']);
    const again = consumer.cursor.recheck();
    answer(2, forbidden);
    await again;
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['paused FORBIDDEN']);
  });

  test('only the answer to the latest asking counts: an old refusal that comes late does not pause', async () => {
    const { ask, answer } = askedByHand();
    await stage.fill(1);
    const consumer = await stage.consume({}, { ask });
    const checking = consumer.cursor.recheck();
    answer(1, {});
    await checking;
    answer(0, forbidden);
    expect(await consumer.got()).toEqual(['1']);
  });

  test('only the answer to the latest asking counts: an old grant that comes late does not allow', async () => {
    const { ask, answer } = askedByHand();
    await stage.fill(1);
    const consumer = await stage.consume({}, { ask });
    const checking = consumer.cursor.recheck();
    answer(1, forbidden);
    await checking;
    answer(0, {});
    expect(await consumer.got()).toEqual(['paused FORBIDDEN']);
  });

  test('two rechecks at a time: the later one decides', async () => {
    const { ask, answer } = askedByHand();
    const consumer = await stage.consume({}, { ask });
    const checks = Promise.all([consumer.cursor.recheck(), consumer.cursor.recheck()]);
    answer(1, forbidden);
    answer(0, {});
    await checks;
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['paused FORBIDDEN']);
  });

  test('a right that ends while the page is being read: nothing of it is shown', async () => {
    await stage.fill(2);
    const gate = stage.store.hold('read', 'after');
    const consumer = await stage.consume();
    await stage.clock.settle();
    consumer.grant = forbidden;
    await consumer.cursor.recheck();
    gate.pass();
    expect(await consumer.got()).toEqual(['paused FORBIDDEN']);
  });

  test('a floor that rises is kept from the page that it was asked for on', async () => {
    await stage.fill(4);
    const consumer = await stage.consume({}, { grant: {}, ask: () => Promise.resolve({ floor: 3 }) });
    expect(await consumer.got()).toEqual(['gap floor 0>2', '3', '4']);
  });

  test('a floor that rises while the page is being read', async () => {
    await stage.fill(4);
    const gate = stage.store.hold('read', 'after');
    const consumer = await stage.consume();
    await stage.clock.settle();
    consumer.grant = { floor: 3 };
    await consumer.cursor.recheck();
    gate.pass();
    expect(await consumer.got()).toEqual(['gap floor 0>2', '3', '4']);
  });

  test.each([new HoldfastError('OVERLOADED'), new Error('the database of rights is away')])(
    'a hook that fails with %s is asked again, and nothing is shown meanwhile',
    async (error) => {
      let fails = 1;
      const consumer = await stage.consume({}, { ask: () => (fails-- > 0 ? Promise.reject(error) : Promise.resolve({})) });
      await consumer.cursor.recheck();
      await stage.fill(2);
      expect(await consumer.got()).toEqual([]);
      await stage.clock.advance(RETRY_MS);
      expect(await consumer.got()).toEqual(['1', '2']);
      expect(stage.reported).toEqual(error instanceof HoldfastError ? [] : [error]);
    },
  );
});

/** Answers by number, in any order. */
function askedByHand(): { ask: () => Promise<Grant>; answer: (number: number, grant: Grant | HoldfastError) => void } {
  const settlers: ((grant: Grant | HoldfastError) => void)[] = [];
  const ask = (): Promise<Grant> =>
    new Promise((resolve, reject) => settlers.push((grant) => (grant instanceof HoldfastError ? reject(grant) : resolve(grant))));
  return { ask, answer: (number, grant) => settlers[number]!(grant) };
}
