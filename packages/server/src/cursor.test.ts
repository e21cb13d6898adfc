import { beforeEach, describe, expect, test } from 'vitest';
import { CursorStage, type Consumer } from './cursor.testing.ts';
import { FramedEntry } from './framed-entry.ts';

/** A failed reading is tried again after this time, ms. */
const RETRY_MS = 500;

let stage: CursorStage;

beforeEach(() => {
  stage = new CursorStage();
});

describe('HF-5.5, decision 10: one cursor, no follow buffer', () => {
  test('history in pages, then live', async () => {
    await stage.fill(7);
    const consumer = await stage.consume();
    expect(await consumer.got()).toEqual(['1', '2', '3', '4', '5', '6', '7']);
    expect(stage.store.countOf('read')).toBe(3);
    expect(consumer.cursor.isLive).toBe(true);
    await stage.fill(2);
    expect(await consumer.got()).toEqual(['8', '9']);
    expect(stage.store.countOf('read')).toBe(3);
  });

  test('a commit between a page and going live falls nowhere', async () => {
    await stage.fill(2);
    const gate = stage.store.hold('read', 'after');
    const consumer = await stage.consume();
    await stage.fill(2);
    expect(await consumer.got()).toEqual([]);
    gate.pass();
    expect(await consumer.got()).toEqual(['1', '2', '3', '4']);
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['5']);
    expect(stage.store.countOf('read')).toBe(2);
  });

  test.each(Array.from({ length: 20 }, (_, ticks) => ticks))('a commit %i ticks after the last page', async (ticks) => {
    await stage.fill(1);
    const read = stage.store.hold('read', 'after');
    const commit = stage.store.hold('apply', 'after');
    const consumer = await stage.consume();
    stage.publish(1);
    await stage.clock.settle();
    read.pass();
    for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    commit.pass();
    expect(await consumer.got()).toEqual(['1', '2']);
    expect(consumer.cursor.isLive).toBe(true);
    const reads = stage.store.countOf('read');
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['3']);
    expect(stage.store.countOf('read')).toBe(reads);
  });

  test('a tail that leads nowhere is left for the store', async () => {
    await stage.fill(2);
    stage.tail.from = (): readonly FramedEntry[] => [
      new FramedEntry('t', 1, { offset: 1, producer: 'p', seq: 1, from: 's', at: 1, payload: '1' }),
    ];
    const consumer = await stage.consume({ offset: 1 });
    expect(await consumer.got()).toEqual(['2']);
    expect(consumer.cursor.isLive).toBe(true);
  });

  test('HF-5.4, decision 9: what is stored and not announced is not read', async () => {
    await stage.fill(1);
    const gate = stage.store.hold('apply', 'after');
    stage.publish(1);
    await stage.clock.settle();
    const consumer = await stage.consume();
    expect(await consumer.got()).toEqual(['1']);
    expect(consumer.cursor.isLive).toBe(true);
    gate.pass();
    expect(await consumer.got()).toEqual(['2']);
  });

  test('a commit that was stored and reported as failed comes by reading', async () => {
    await stage.fill(1);
    const consumer = await stage.consume();
    stage.store.fail('apply', 'after');
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['1', '2']);
  });

  test('HF-7.2: a slow reader stops the cursor, which goes on from the store', async () => {
    const consumer = await stage.consume();
    consumer.appetite = 2;
    await stage.fill(5);
    expect(await consumer.got()).toEqual(['1', '2']);
    await stage.fill(1);
    expect(await consumer.got()).toEqual([]);
    consumer.appetite = 1;
    consumer.isReady = true;
    consumer.cursor.pump();
    expect(await consumer.got()).toEqual(['3']);
    consumer.appetite = Infinity;
    consumer.isReady = true;
    consumer.cursor.pump();
    expect(await consumer.got()).toEqual(['4', '5', '6']);
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['7']);
  });

  test('pages are bounded, and one who takes nothing reads nothing', async () => {
    await stage.fill(10);
    const consumer = await stage.consume();
    consumer.isReady = false;
    await stage.clock.settle();
    const reads = stage.store.countOf('read');
    consumer.cursor.pump();
    await stage.clock.settle();
    expect(stage.store.countOf('read')).toBe(reads);
  });

  test('HF-5.12: a bounded number of pages is read at a time', async () => {
    stage = new CursorStage({ readsMax: 2 });
    await stage.fill(1);
    const gates = [1, 2, 3].map(() => stage.store.hold('read', 'after'));
    const consumers = [await stage.consume(), await stage.consume(), await stage.consume()];
    await stage.clock.settle();
    expect(stage.store.countOf('read')).toBe(2);
    gates[0]!.pass();
    expect(await consumers[0]!.got()).toEqual(['1']);
    expect(stage.store.countOf('read')).toBe(3);
    gates[1]!.pass();
    gates[2]!.pass();
    expect(await consumers[2]!.got()).toEqual(['1']);
  });

  test('after close nothing comes, whatever was under way', async () => {
    await stage.fill(3);
    const gate = stage.store.hold('read', 'after');
    const consumer = await stage.consume();
    await stage.clock.settle();
    consumer.cursor.close();
    gate.pass();
    await stage.fill(1);
    expect(await consumer.got()).toEqual([]);
    expect(stage.clock.alarmCount).toBe(0);
  });
});

describe('the store fails to read', () => {
  test('it is asked again later, and nothing is missing', async () => {
    await stage.fill(2);
    stage.store.fail('read');
    const consumer = await stage.consume();
    expect(await consumer.got()).toEqual([]);
    await stage.fill(1);
    expect(await consumer.got()).toEqual([]);
    await stage.clock.advance(RETRY_MS);
    expect(await consumer.got()).toEqual(['1', '2', '3']);
    expect(stage.reported).toEqual([]);
  });

  test('with anything at all: it is reported, and no promise is left alone', async () => {
    await stage.fill(1);
    stage.store.fail('read', 'before', new TypeError('driver'));
    const consumer = await stage.consume();
    await stage.clock.advance(RETRY_MS);
    expect(await consumer.got()).toEqual(['1']);
    expect(stage.reported).toEqual([new TypeError('driver')]);
  });

  test('one retry at a time, however many commits come meanwhile', async () => {
    await stage.fill(1);
    stage.store.fail('read');
    const consumer = await stage.consume();
    await stage.clock.settle();
    for (let round = 0; round < 5; round++) await stage.fill(1);
    expect(stage.clock.alarmCount).toBe(1);
    expect(stage.store.countOf('read')).toBe(1);
    await stage.clock.advance(RETRY_MS);
    expect(await consumer.got()).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  test('registers too, while entries go on', async () => {
    const consumer = await stage.consume();
    stage.write('a', 1);
    await stage.clock.settle();
    await consumer.got();
    consumer.isReady = false;
    stage.write('a', 2);
    await stage.clock.settle();
    stage.store.fail('registers');
    consumer.isReady = true;
    consumer.cursor.pump();
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['1']);
    await stage.clock.advance(RETRY_MS);
    expect(await consumer.got()).toEqual(['reg a=2@2']);
  });

  test('entries of another log, founded behind the hub’s back, are not taken for those of this one', async () => {
    await stage.fill(2);
    const consumer = await stage.consume({ offset: 1 }, { credit: 0 });
    await consumer.got();
    await stage.store.remove('t');
    const publishes = [1, 2, 3].map((seq) => ({
      topic: 't',
      subject: 's',
      producer: 'stranger',
      seq,
      digest: '',
      at: 0,
      outcome: { kind: 'accepted' as const, offset: seq, count: 1 },
      payloads: ['"of another log"'],
    }));
    await stage.store.apply({ found: [{ topic: 't', epoch: 'another' }], publishes, registers: [] });
    consumer.cursor.credit(2);
    expect(await consumer.got()).toEqual([]);
    // The next commit fails, which makes the hub look again.
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['gap epoch 1>new 0', '1']);
    consumer.cursor.credit(10);
    expect(await consumer.got()).toEqual(['2', '3']);
  });

  test('a page of another log than the one that is known is tried again, and a reload goes on at once', async () => {
    await stage.fill(2);
    const consumer = await stage.consume();
    await consumer.got();
    consumer.isReady = false;
    await stage.fill(1);
    consumer.isReady = true;
    // Somebody deleted the topic behind the hub's back.
    await stage.store.remove('t');
    consumer.cursor.pump();
    expect(await consumer.got()).toEqual([]);
    expect(stage.clock.alarmCount).toBe(1);
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['gap epoch 2>new 0']);
    expect(stage.clock.alarmCount).toBe(0);
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['1']);
  });
});

describe('HF-5.7, decision 11: gaps', () => {
  test('retention: what was cut before it was read', async () => {
    await stage.fill(6);
    await stage.sequencer.trim('t', { countMax: 2 });
    const consumer = await stage.consume({ offset: 1 });
    expect(await consumer.got()).toEqual(['gap retention 1>4', '5', '6']);
  });

  test('retention: what was cut while its page was asked for', async () => {
    await stage.fill(6);
    const gate = stage.store.hold('read', 'before');
    const consumer = await stage.consume();
    await stage.clock.settle();
    await stage.sequencer.trim('t', { countMax: 2 });
    gate.pass();
    expect(await consumer.got()).toEqual(['gap retention 0>4', '5', '6']);
  });

  test('retention does not concern one who is past it', async () => {
    await stage.fill(4);
    const consumer = await stage.consume({ offset: 4 });
    await stage.sequencer.trim('t', { countMax: 0 });
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['5']);
  });

  test('retention never leads past what is announced', async () => {
    await stage.fill(2);
    const consumer = await stage.consume();
    await consumer.got();
    consumer.isReady = false;
    await stage.fill(1);
    const gate = stage.store.hold('apply', 'after');
    stage.publish(1);
    await stage.clock.settle();
    await stage.sequencer.trim('t', { countMax: 0 });
    consumer.isReady = true;
    consumer.cursor.pump();
    expect(await consumer.got()).toEqual(['gap retention 2>3']);
    gate.pass();
    expect(await consumer.got()).toEqual(['4']);
  });

  test('retention never leads past what is announced, though its page would', async () => {
    await stage.fill(3);
    const read = stage.store.hold('read', 'before');
    const consumer = await stage.consume({ offset: 1 });
    const commit = stage.store.hold('apply', 'after');
    stage.publish(1);
    await stage.clock.settle();
    await stage.sequencer.trim('t', { countMax: 0 });
    read.pass();
    expect(await consumer.got()).toEqual(['gap retention 1>3']);
    commit.pass();
    expect(await consumer.got()).toEqual(['4']);
  });

  test('epoch: a position of another log begins at the first entry that there is', async () => {
    await stage.fill(5);
    await stage.sequencer.trim('t', { countMax: 2 });
    const consumer = await stage.consume({ epoch: 'old', offset: 70, revision: 3 });
    expect(await consumer.got()).toEqual(['gap epoch 70>new 3 r0', '4', '5']);
  });

  test('epoch: the topic is deleted under a live cursor, and nothing is said before that is durable', async () => {
    await stage.fill(2);
    const consumer = await stage.consume();
    await consumer.got();
    const founding = stage.store.hold('apply', 'after');
    const removing = stage.sequencer.remove('t');
    await stage.clock.settle();
    consumer.cursor.pump();
    expect(await consumer.got()).toEqual([]);
    expect(consumer.cursor.isLive).toBe(false);
    founding.pass();
    expect(await consumer.got()).toEqual(['gap epoch 2>new 0']);
    await removing;
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['1']);
  });

  test('epoch: a founding that fails is never shown', async () => {
    await stage.fill(2);
    const consumer = await stage.consume();
    await consumer.got();
    stage.store.fail('apply', 'before');
    await expect(Promise.all([stage.sequencer.remove('t'), stage.clock.settle()])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await consumer.got()).toEqual(['gap epoch 2>new 0']);
    expect(consumer.cursor.position.epoch).toBe((await stage.log()).epoch);
  });

  test('epoch: a commit of the new log is not taken for the next entry of the old one', async () => {
    await stage.fill(2);
    const consumer = await stage.consume();
    await consumer.got();
    consumer.isReady = false;
    await Promise.all([stage.sequencer.remove('t'), stage.clock.settle()]);
    await stage.fill(2);
    // Ready again before anybody said so: the commit that comes now has the offset that would follow.
    consumer.isReady = true;
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['gap epoch 2>new 0', '1', '2', '3']);
  });

  test('ahead: a position past the head begins anew', async () => {
    await stage.fill(2);
    const consumer = await stage.consume({ offset: 9 });
    expect(await consumer.got()).toEqual(['gap ahead 9>0', '1', '2']);
    const other = await stage.consume({ offset: 1, revision: 4 });
    expect(await other.got()).toEqual(['gap ahead 1>0 r0', '1', '2']);
  });

  test('floor: the right begins later', async () => {
    await stage.fill(5);
    const consumer = await stage.consume({}, { grant: { floor: 4 } });
    expect(await consumer.got()).toEqual(['gap floor 0>3', '4', '5']);
    const past = await stage.consume({ offset: 4 }, { grant: { floor: 4 } });
    expect(await past.got()).toEqual(['5']);
  });

  test('floor: beyond the head, entries of before are not shown when they come', async () => {
    await stage.fill(1);
    const consumer = await stage.consume({}, { grant: { floor: 4 } });
    expect(await consumer.got()).toEqual(['gap floor 0>1']);
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['gap floor 1>2']);
    await stage.fill(1);
    await stage.fill(1);
    expect(await consumer.got()).toEqual(['gap floor 2>3', '4']);
  });

  test('two at once are told one after the other', async () => {
    await stage.fill(6);
    await stage.sequencer.trim('t', { countMax: 4 });
    const consumer = await stage.consume({ epoch: 'old' }, { grant: { floor: 5 } });
    expect(await consumer.got()).toEqual(['gap epoch 0>new 2', 'gap floor 2>4', '5', '6']);
  });
});

describe('HF-5.6, decision 12: what one viewer may not see is skipped', () => {
  beforeEach(() => {
    stage = new CursorStage({ kind: { name: 'odd', isVisible: ({ offset }) => offset % 4 < 2 }, page: { countMax: 5, bytesMax: 1e6 } });
  });

  test('in history and live, in one piece where they are together', async () => {
    await stage.fill(9);
    const consumer = await stage.consume();
    expect(await consumer.got()).toEqual(['1', 'skip 2-3', '4', '5', 'skip 6-7', '8', '9']);
    await stage.fill(2);
    expect(await consumer.got()).toEqual(['skip 10-11']);
    await stage.fill(3);
    expect(await consumer.got()).toEqual(['12', '13', 'skip 14-14']);
  });

  test('a skip counts as sent', async () => {
    await stage.fill(3);
    const consumer = await stage.consume({}, { credit: 2 });
    expect(await consumer.got()).toEqual(['1', 'skip 2-2']);
    expect(consumer.cursor.position.offset).toBe(2);
    consumer.cursor.credit(3);
    expect(await consumer.got()).toEqual(['skip 3-3']);
  });
});

describe('HF-7.1, decision 17: credit is cumulative', () => {
  test('a window from the first entry on, then up to what was said', async () => {
    await stage.fill(9);
    const consumer = await stage.consume({ offset: 1 }, { credit: 2 });
    expect(await consumer.got()).toEqual(['2', '3']);
    consumer.cursor.credit(5);
    expect(await consumer.got()).toEqual(['4', '5']);
    consumer.cursor.credit(5);
    consumer.cursor.credit(4);
    expect(await consumer.got()).toEqual([]);
    consumer.cursor.credit(100);
    expect(await consumer.got()).toEqual(['6', '7', '8', '9']);
  });

  test('holds for commits too', async () => {
    const consumer = await stage.consume({}, { credit: 2 });
    await stage.fill(4);
    expect(await consumer.got()).toEqual(['1', '2']);
    consumer.cursor.credit(3);
    expect(await consumer.got()).toEqual(['3']);
  });

  test('none at all sends nothing, registers and gaps excepted', async () => {
    await stage.fill(2);
    stage.write('a', 1);
    await stage.clock.settle();
    const consumer = await stage.consume({ epoch: 'old' }, { credit: 0 });
    expect(await consumer.got()).toEqual(['gap epoch 0>new 0', 'reg a=1@1']);
  });

  test('a gap before the first entry moves the window, and a later one carries over what was not used', async () => {
    await stage.fill(9);
    await stage.sequencer.trim('t', { countMax: 4 });
    const consumer = await stage.consume({}, { credit: 3 });
    consumer.appetite = 2;
    expect(await consumer.got()).toEqual(['gap retention 0>5', '6', '7']);
    await Promise.all([stage.sequencer.remove('t'), stage.clock.settle()]);
    await stage.fill(4);
    consumer.appetite = Infinity;
    consumer.isReady = true;
    consumer.cursor.pump();
    expect(await consumer.got()).toEqual(['gap epoch 7>new 0', '1']);
    consumer.cursor.credit(3);
    expect(await consumer.got()).toEqual(['2', '3']);
  });

  test('a reader that stands still is sent one window, however often history is cut under it', async () => {
    const consumer = await stage.consume({}, { credit: 2 });
    await stage.fill(4);
    expect(await consumer.got()).toEqual(['1', '2']);
    await stage.sequencer.trim('t', { countMax: 1 });
    await stage.fill(4);
    await stage.sequencer.trim('t', { countMax: 1 });
    await stage.fill(4);
    expect(await consumer.got()).toEqual(['gap retention 2>3', 'gap retention 3>7']);
    await Promise.all([stage.sequencer.remove('t'), stage.clock.settle()]);
    await stage.fill(4);
    expect(await consumer.got()).toEqual(['gap epoch 7>new 0']);
    consumer.cursor.credit(1);
    expect(await consumer.got()).toEqual(['1']);
  });

  test('what was under way for a log that ended counts for nothing, and without an epoch for the log that is there', async () => {
    const { epoch } = await stage.log();
    const consumer = await stage.consume({}, { credit: 0 });
    await Promise.all([stage.sequencer.remove('t'), stage.clock.settle()]);
    await stage.fill(4);
    expect(await consumer.got()).toEqual(['gap epoch 0>new 0']);
    consumer.cursor.credit(3, epoch);
    expect(await consumer.got()).toEqual([]);
    consumer.cursor.credit(1, consumer.cursor.position.epoch);
    consumer.cursor.credit(2);
    expect(await consumer.got()).toEqual(['1', '2']);
  });

  test('without credit in the subscription there is no credit flow', async () => {
    const consumer = await stage.consume();
    consumer.cursor.credit(1);
    await stage.fill(3);
    expect(await consumer.got()).toEqual(['1', '2', '3']);
  });
});

describe('HF-7.8, decision 13: registers have revisions, and resume', () => {
  test('live, and the newest of each key for one who was away', async () => {
    const consumer = await stage.consume();
    for (const [key, value] of [
      ['a', 1],
      ['b', 1],
      ['a', 2],
    ] as const)
      stage.write(key, value);
    expect(await consumer.got()).toEqual(['reg a=1@1', 'reg b=1@2', 'reg a=2@3']);
    const away = await stage.consume({ revision: 1 });
    expect(await away.got()).toEqual(['reg b=1@2', 'reg a=2@3']);
    expect(away.cursor.isLive).toBe(true);
  });

  test('what is stored and not announced is neither told nor taken for a broken log', async () => {
    stage.write('a', 1);
    await stage.clock.settle();
    const gate = stage.store.hold('apply', 'after');
    stage.write('a', 2);
    stage.write('b', 1);
    await stage.clock.settle();
    const consumer = await stage.consume();
    expect(await consumer.got()).toEqual([]);
    const reads = stage.store.countOf('registers');
    await stage.clock.settle();
    expect(stage.store.countOf('registers')).toBe(reads);
    gate.pass();
    expect(await consumer.got()).toEqual(['reg a=2@2', 'reg b=1@3']);
  });

  test('of those that are announced and those that are not, the former', async () => {
    stage.write('a', 1);
    stage.write('b', 1);
    await stage.clock.settle();
    const gate = stage.store.hold('apply', 'after');
    stage.write('a', 2);
    await stage.clock.settle();
    const consumer = await stage.consume();
    expect(await consumer.got()).toEqual(['reg b=1@2']);
    gate.pass();
    expect(await consumer.got()).toEqual(['reg a=2@3']);
  });

  test('a write that was stored and reported as failed comes by reading', async () => {
    const consumer = await stage.consume();
    stage.store.fail('apply', 'after');
    stage.write('a', 1);
    expect(await consumer.got()).toEqual(['reg a=1@1']);
  });

  test('a slow reader stops them as well', async () => {
    for (const key of ['a', 'b', 'c']) stage.write(key, 1);
    await stage.clock.settle();
    const consumer = await stage.consume();
    await consumer.got();
    consumer.isReady = false;
    for (const key of ['a', 'b', 'c']) stage.write(key, 2);
    expect(await consumer.got()).toEqual([]);
    consumer.isReady = true;
    consumer.cursor.pump();
    expect(await consumer.got()).toEqual(['reg a=2@4', 'reg b=2@5', 'reg c=2@6']);
  });

  test('survive a gap of retention, and begin anew after one of the epoch', async () => {
    await stage.fill(3);
    stage.write('a', 1);
    await stage.clock.settle();
    await stage.sequencer.trim('t', { countMax: 1 });
    const consumer = await stage.consume({ revision: 1 });
    expect(await consumer.got()).toEqual(['gap retention 0>2', '3']);
    const other = await stage.consume({ epoch: 'old', revision: 9 });
    expect(await other.got()).toEqual(['gap epoch 0>new 2 r0', 'reg a=1@1', '3']);
  });
});

test('a consumer that closes its cursor in the middle of a commit gets nothing more', async () => {
  const consumer: Consumer = await stage.consume();
  const take = consumer.entry.bind(consumer);
  consumer.entry = (framed) => {
    take(framed);
    if (framed.entry.offset === 2) consumer.cursor.close();
  };
  consumer.entries = (): boolean => false;
  await stage.fill(4);
  expect(await consumer.got()).toEqual(['1', '2']);
});
