import { HoldfastError } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { SequencerStage } from './sequencer.testing.ts';
import { createMemoryDisk } from './store-memory.ts';

let stage: SequencerStage;

beforeEach(() => {
  stage = new SequencerStage();
});

async function opened(): Promise<void> {
  await Promise.all([stage.sequencer.open('t'), stage.clock.settle()]);
  stage.events.splice(0);
}

describe('HF-6.7, HF-5.4, decision 9: answers and fan-out come after the commit', () => {
  test('not while it is under way', async () => {
    await opened();
    const gate = stage.store.hold('apply', 'after');
    stage.publish(1);
    expect(await stage.happened()).toEqual([]);
    expect(await stage.stored()).toEqual(['1']);
    gate.pass();
    expect(await stage.happened()).toEqual(['commit t 1-1', 'p1 at 1']);
  });

  test('what comes in one turn is one batch, the next batch collects meanwhile, and the order is that of the offsets', async () => {
    await opened();
    const gate = stage.store.hold('apply', 'after');
    stage.publish(1);
    stage.publish(1, { producer: 'q' });
    await stage.clock.settle();
    stage.publish(2);
    stage.publish(2, { producer: 'q' });
    stage.publish(3);
    expect(await stage.happened()).toEqual([]);
    expect(stage.store.countOf('apply')).toBe(2);
    gate.pass();
    expect(await stage.happened()).toEqual(['commit t 1-2', 'p1 at 1', 'q1 at 2', 'commit t 3-5', 'p2 at 3', 'q2 at 4', 'p3 at 5']);
    expect(stage.store.batches.map(({ publishes }) => publishes.length)).toEqual([0, 2, 3]);
  });

  test('the next commit is handed in before this one is announced', async () => {
    await opened();
    const first = stage.store.hold('apply', 'after');
    const second = stage.store.hold('apply', 'before');
    stage.publish(1);
    await stage.clock.settle();
    stage.publish(2);
    await stage.clock.settle();
    expect(stage.store.countOf('apply')).toBe(2);
    first.pass();
    expect(await stage.happened()).toEqual(['commit t 1-1', 'p1 at 1']);
    expect(stage.store.countOf('apply')).toBe(3);
    second.pass();
    expect(await stage.happened()).toEqual(['commit t 2-2', 'p2 at 2']);
  });

  test('a refusal that spends its seq too', async () => {
    await opened();
    const gate = stage.store.hold('apply', 'after');
    stage.publish(1, { verdict: new HoldfastError('REFUSED') });
    expect(await stage.happened()).toEqual([]);
    gate.pass();
    expect(await stage.happened()).toEqual(['p1 REFUSED']);
  });

  test('HF-6.5, decision 2: a duplicate of what is not durable yet is answered only then', async () => {
    await opened();
    const gate = stage.store.hold('apply', 'after');
    stage.publish(1);
    await stage.clock.settle();
    stage.publish(1);
    expect(await stage.happened()).toEqual([]);
    gate.pass();
    expect(await stage.happened()).toEqual(['commit t 1-1', 'p1 at 1', 'p1 at 1 again']);
  });

  test('a hole is refused at once: it waits for nothing', async () => {
    await opened();
    const gate = stage.store.hold('apply', 'after');
    stage.publish(1);
    await stage.clock.settle();
    stage.publish(3);
    expect(await stage.happened()).toEqual(['p3 SEQ_GAP']);
    gate.pass();
    expect(await stage.happened()).toEqual(['commit t 1-1', 'p1 at 1']);
  });
});

describe('HF-6.4, HF-6.5: what was decided survives the process', () => {
  test('decision 1: the same seq gets the same refusal, the next one goes on; decision 2: acceptances too', async () => {
    const disk = createMemoryDisk();
    stage = new SequencerStage({ disk });
    stage.publish(1, { verdict: new HoldfastError('REFUSED', 'no') });
    stage.publish(2, { payloads: ['1', '2'] });
    await stage.happened();
    stage = new SequencerStage({ disk });
    stage.publish(1);
    stage.publish(2);
    stage.publish(4);
    stage.publish(3);
    expect(await stage.happened()).toEqual(['reload t', 'p1 REFUSED', 'p2 at 1 again', 'p4 SEQ_GAP', 'commit t 3-3', 'p3 at 3']);
  });

  test('the last W outcomes and no more', async () => {
    const disk = createMemoryDisk();
    stage = new SequencerStage({ disk, outcomesMax: 2 });
    for (let seq = 1; seq <= 3; seq++) stage.publish(seq);
    await stage.happened();
    stage = new SequencerStage({ disk, outcomesMax: 2 });
    for (let seq = 1; seq <= 3; seq++) stage.publish(seq);
    expect(await stage.happened()).toEqual(['reload t', 'p1 STALE_SEQ', 'p2 at 2 again', 'p3 at 3 again']);
  });
});

describe('HF-6.9, decision 5: a producer is forgotten after its silence', () => {
  const silent = 60_000;

  beforeEach(() => {
    stage = new SequencerStage({ producerSilenceMs: silent });
  });

  test('one that is in memory', async () => {
    stage.publish(1);
    await stage.happened();
    await stage.clock.advance(silent);
    stage.publish(2);
    expect(await stage.happened()).toEqual(['commit t 2-2', 'p2 at 2']);
    await stage.clock.advance(silent + 1);
    stage.publish(3);
    stage.publish(1, { digest: 'new' });
    expect(await stage.happened()).toEqual(['p3 PRODUCER_UNKNOWN', 'commit t 3-3', 'p1 at 3']);
  });

  test('one that was stopped hears that it is unknown, not that it is stopped', async () => {
    stage.publish(1);
    stage.publish(2, { verdict: new HoldfastError('OVERLOADED') });
    await stage.happened();
    await stage.clock.advance(silent + 1);
    stage.publish(3);
    stage.publish(2);
    expect(await stage.happened()).toEqual(['p3 PRODUCER_UNKNOWN', 'p2 PRODUCER_UNKNOWN']);
  });

  test('one that only the store remembers', async () => {
    const disk = createMemoryDisk();
    stage = new SequencerStage({ disk, producerSilenceMs: silent });
    stage.publish(1);
    await stage.happened();
    const { clock } = stage;
    await clock.advance(silent + 1);
    stage = new SequencerStage({ disk, clock, producerSilenceMs: silent });
    stage.publish(1);
    expect(await stage.happened()).toEqual(['reload t', 'commit t 2-2', 'p1 at 2']);
  });
});

describe('HF-6.11, decision 4: a producer belongs to its subject', () => {
  test('nobody spends the seqs of another, and nobody stops another', async () => {
    await opened();
    stage.publish(1, { verdict: new HoldfastError('OVERLOADED') });
    stage.publish(1, { subject: 'bob' });
    stage.publish(2, { subject: 'bob' });
    stage.publish(2);
    expect(await stage.happened()).toEqual(['p1 OVERLOADED', 'p2 PIPELINE_STOPPED', 'commit t 1-2', 'p1 at 1', 'p2 at 2']);
  });
});

describe('decision 11: a topic is founded when it is opened', () => {
  test('open resolves when its epoch is durable', async () => {
    const gate = stage.store.hold('apply', 'after');
    let head: unknown;
    void stage.sequencer.open('t').then((opened) => (head = opened.head));
    await stage.clock.settle();
    expect(head).toBeUndefined();
    expect(stage.events).toEqual([]);
    gate.pass();
    await stage.clock.settle();
    expect(head).toEqual({ epoch: stage.store.batches[0]!.found[0]!.epoch, offset: 0, revision: 0 });
    expect(stage.events).toEqual(['reload t']);
  });

  test('what is published meanwhile is in the same batch, and the head is that of the call', async () => {
    const opening = stage.sequencer.open('t');
    stage.publish(1);
    await stage.clock.settle();
    expect(stage.store.batches).toHaveLength(1);
    expect((await opening).head).toMatchObject({ offset: 0 });
    expect(stage.events).toEqual(['commit t 1-1', 'reload t', 'p1 at 1']);
    expect((await stage.sequencer.open('t')).head).toMatchObject({ offset: 1 });
  });

  test('once: whoever opens it again finds it', async () => {
    const disk = createMemoryDisk();
    stage = new SequencerStage({ disk });
    await opened();
    const { head } = await stage.sequencer.open('t');
    stage = new SequencerStage({ disk });
    expect((await stage.sequencer.open('t')).head).toEqual(head);
    expect(stage.store.batches).toEqual([]);
  });

  test('a founding that fails rejects, and the next one has another epoch unless the disk knows better', async () => {
    stage.store.fail('apply', 'before');
    await expect(Promise.all([stage.sequencer.open('t'), stage.clock.settle()])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await opened();
    const epochs = stage.store.batches.map(({ found }) => found[0]!.epoch);
    expect(epochs).toHaveLength(2);
    expect(epochs[0]).not.toBe(epochs[1]);
    expect((await stage.sequencer.open('t')).head.epoch).toBe(epochs[1]);
  });

  test('a founding that was stored and reported as failed stands', async () => {
    stage.store.fail('apply', 'after');
    await expect(Promise.all([stage.sequencer.open('t'), stage.clock.settle()])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await opened();
    expect(stage.store.batches).toHaveLength(1);
    expect((await stage.sequencer.open('t')).head.epoch).toBe(stage.store.batches[0]!.found[0]!.epoch);
  });
});

describe('remove', () => {
  async function filled(): Promise<string> {
    for (let seq = 1; seq <= 3; seq++) stage.publish(seq);
    await stage.happened();
    return (await stage.sequencer.open('t')).head.epoch;
  }

  async function removed(): Promise<void> {
    await Promise.all([stage.sequencer.remove('t'), stage.clock.settle()]);
  }

  test('HF-5.7, decision 11: begins anew in another epoch, which forgets producers and registers', async () => {
    const epoch = await filled();
    stage.write('key', 'replace', 'x');
    await stage.happened();
    await removed();
    expect(stage.events.splice(0)).toEqual(['reload t']);
    const { head } = await stage.sequencer.open('t');
    expect(head).toMatchObject({ offset: 0, revision: 0 });
    expect(head.epoch).not.toBe(epoch);
    stage.publish(4, { epoch });
    stage.publish(4);
    stage.publish(1);
    stage.write('key', 'replace', 'y', 0);
    expect(await stage.happened()).toEqual([
      'p4 EPOCH_CHANGED',
      'p4 PRODUCER_UNKNOWN',
      'commit t 1-1',
      'register t 1',
      'p1 at 1',
      'key="y"@1',
    ]);
  });

  test('what was pending is committed first, what comes meanwhile waits for the new log', async () => {
    await filled();
    const gate = stage.store.hold('apply', 'after');
    const removal = stage.store.hold('remove', 'after');
    stage.publish(4);
    await stage.clock.settle();
    const removing = stage.sequencer.remove('t');
    await stage.clock.settle();
    stage.publish(5);
    stage.publish(1, { producer: 'q' });
    expect(await stage.happened()).toEqual([]);
    gate.pass();
    expect(await stage.happened()).toEqual(['commit t 4-4', 'p4 at 4']);
    removal.pass();
    expect(await stage.happened()).toEqual(['p5 PRODUCER_UNKNOWN', 'commit t 1-1', 'reload t', 'q1 at 1']);
    await removing;
  });

  test('a commit that fails meanwhile does not read the old log again', async () => {
    await filled();
    const gate = stage.store.hold('apply', 'before');
    stage.publish(4);
    await stage.clock.settle();
    const removing = stage.sequencer.remove('t');
    await stage.clock.settle();
    const heads = stage.store.countOf('head');
    gate.fail();
    expect(await stage.happened()).toEqual(['p4 STORE_UNAVAILABLE', 'reload t']);
    expect(stage.store.countOf('head')).toBe(heads + 1);
    await removing;
    expect(await stage.stored()).toEqual([]);
  });

  test('one that fails leaves the log as it was', async () => {
    const epoch = await filled();
    stage.store.fail('remove', 'before');
    await expect(Promise.all([stage.sequencer.remove('t'), stage.clock.settle()])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    stage.publish(4, { epoch });
    expect(await stage.happened()).toEqual(['reload t', 'commit t 4-4', 'p4 at 4']);
  });

  test('two at a time', async () => {
    await filled();
    await Promise.all([stage.sequencer.remove('t'), stage.sequencer.remove('t'), stage.clock.settle()]);
    stage.publish(1);
    await stage.clock.settle();
    expect(stage.events.at(-1)).toBe('p1 at 1');
  });

  test('is not kept waiting by other topics that are never quiet', async () => {
    await filled();
    stage.store.hold('apply', 'before');
    const removing = stage.sequencer.remove('t');
    stage.publish(1, { topic: 'busy' });
    await stage.clock.settle();
    expect(stage.store.countOf('remove')).toBe(1);
    expect(stage.events).toEqual([]);
    void removing.catch(() => undefined);
  });
});

describe('trim', () => {
  test('moves the beginning, never back', async () => {
    for (let seq = 1; seq <= 5; seq++) stage.publish(seq);
    await stage.happened();
    const { log } = await stage.sequencer.open('t');
    await stage.sequencer.trim('t', { countMax: 2 });
    expect(log.first).toBe(4);
    const late = stage.store.hold('trim', 'after');
    const trimming = stage.sequencer.trim('t', { countMax: 2 });
    await stage.sequencer.trim('t', { countMax: 1 });
    late.pass();
    await trimming;
    expect(log.first).toBe(5);
    expect(log.committed).toBe(5);
  });
});

describe('forgetIdle', () => {
  test('who was stopped is forgotten after a while, in topics that are in use too', async () => {
    await opened();
    stage.publish(1, { verdict: new HoldfastError('OVERLOADED') });
    stage.publish(2);
    expect(await stage.happened()).toEqual(['p1 OVERLOADED', 'p2 PIPELINE_STOPPED']);
    for (let step = 0; step < 58; step++) stage.sequencer.forgetIdle(0, () => true);
    // A clock that is set an hour ahead takes nothing from those whose later seqs are under way (HF-6.6).
    stage.sequencer.forgetIdle(stage.clock.now() + 3_600_000, () => true);
    stage.publish(2);
    expect(await stage.happened()).toEqual(['p2 PIPELINE_STOPPED']);
    stage.sequencer.forgetIdle(0, () => true);
    stage.publish(2);
    expect(await stage.happened()).toEqual(['p2 PRODUCER_UNKNOWN']);
  });

  test('made-up names in any number of topics do not add up', async () => {
    await opened();
    const verdict = new HoldfastError('RATE_LIMITED');
    stage.publish(1, { verdict });
    for (let name = 0; name < 100_000; name++) stage.publish(1, { topic: `t${name % 3}`, producer: `p${name}`, verdict });
    await stage.happened();
    stage.publish(2);
    stage.publish(2, { topic: 't0', producer: 'p99999', verdict });
    expect(await stage.happened()).toEqual(['p2 PRODUCER_UNKNOWN', 'p999992 PIPELINE_STOPPED']);
  });

  const nobody = (): boolean => false;

  test('what is unused is read again at its next use, and knows everything', async () => {
    stage.publish(1);
    await stage.happened();
    await stage.clock.advance(1_000);
    stage.sequencer.forgetIdle(stage.clock.now(), nobody);
    const heads = stage.store.countOf('head');
    stage.publish(1);
    stage.publish(2);
    expect(await stage.happened()).toEqual(['reload t', 'p1 at 1 again', 'commit t 2-2', 'p2 at 2']);
    expect(stage.store.countOf('head')).toBe(heads + 1);
  });

  test('what somebody follows keeps its log, and forgets producers', async () => {
    stage.publish(1);
    await stage.happened();
    const { log } = await stage.sequencer.open('t');
    await stage.clock.advance(1_000);
    stage.sequencer.forgetIdle(stage.clock.now(), (topic) => topic === 't');
    expect(log.producers.size).toBe(0);
    const outcomes = stage.store.countOf('outcomes');
    stage.publish(1);
    expect(await stage.happened()).toEqual(['p1 at 1 again']);
    expect(stage.store.countOf('outcomes')).toBe(outcomes + 1);
    expect((await stage.sequencer.open('t')).log).toBe(log);
  });

  test('a busy topic forgets the producers of long ago as well', async () => {
    stage.publish(1);
    await stage.happened();
    await stage.clock.advance(1_000);
    stage.publish(1, { producer: 'q' });
    await stage.happened();
    const { log } = await stage.sequencer.open('t');
    stage.sequencer.forgetIdle(stage.clock.now(), nobody);
    expect([...log.producers.keys()]).toEqual(['q alice']);
  });

  test.each(['apply', 'outcomes', 'registers'] as const)('not while a call of %s is under way', async (method) => {
    await opened();
    const gate = stage.store.hold(method, 'after');
    stage.publish(1);
    stage.write('key', 'max', 1);
    await stage.clock.settle();
    const { log } = await stage.sequencer.open('t');
    await stage.clock.advance(1_000);
    stage.sequencer.forgetIdle(stage.clock.now(), nobody);
    expect((await stage.sequencer.open('t')).log).toBe(log);
    gate.pass();
    expect(await stage.happened()).toEqual(expect.arrayContaining(['p1 at 1', 'key=1@1']));
  });
});

describe('HF-7.7, decision 13: registers', () => {
  test('are answered after the commit with what stands, and announced by revision', async () => {
    await opened();
    const gate = stage.store.hold('apply', 'after');
    stage.write('a', 'max', 5);
    stage.write('a', 'max', 3);
    stage.write('b', 'replace', 'x', 0);
    stage.write('b', 'replace', 'y', 0);
    expect(await stage.happened()).toEqual([]);
    gate.pass();
    expect(await stage.happened()).toEqual(['register t 1', 'register t 2', 'a=5@1', 'a=5@1', 'b="x"@2', 'b REVISION_MISMATCH']);
  });

  test('survive the process with their revision', async () => {
    const disk = createMemoryDisk();
    stage = new SequencerStage({ disk });
    stage.write('a', 'max', 5);
    stage.write('b', 'replace', 'x');
    await stage.happened();
    stage = new SequencerStage({ disk });
    stage.write('a', 'max', 4);
    stage.write('b', 'replace', 'y', 2);
    expect(await stage.happened()).toEqual(['reload t', 'a=5@1', 'register t 3', 'b="y"@3']);
  });

  test('writes keep the order of the calls while the registers are being read', async () => {
    await opened();
    const gate = stage.store.hold('registers', 'after');
    stage.write('a', 'replace', 'first');
    await stage.clock.settle();
    stage.write('a', 'replace', 'second');
    await stage.clock.settle();
    gate.pass();
    expect(await stage.happened()).toEqual(['register t 1', 'register t 2', 'a="first"@1', 'a="second"@2']);
    expect(stage.store.countOf('registers')).toBe(1);
  });
});

describe('afterPending (HF-7.4)', () => {
  test('waits for what has a place in the topic, and for nothing else', async () => {
    await opened();
    const { log } = await stage.sequencer.open('t');
    const first = stage.store.hold('apply', 'after');
    const mark = (name: string): void => stage.sequencer.afterPending(log, () => stage.events.push(name));
    mark('nothing pending');
    stage.publish(1);
    await stage.clock.settle();
    mark('behind 1');
    stage.publish(2);
    mark('behind 2');
    expect(await stage.happened()).toEqual(['nothing pending']);
    first.pass();
    expect(await stage.happened()).toEqual(['commit t 1-1', 'p1 at 1', 'behind 1', 'commit t 2-2', 'p2 at 2', 'behind 2']);
  });
});

test('HF-8.3: close commits what is pending and refuses what comes after as retryable', async () => {
  await opened();
  const gate = stage.store.hold('apply', 'after');
  stage.publish(1);
  stage.write('a', 'max', 1);
  await stage.clock.settle();
  let isClosed = false;
  void stage.sequencer.close().then(() => (isClosed = true));
  stage.publish(2);
  stage.write('b', 'max', 1);
  expect(await stage.happened()).toEqual(['p2 GOING_AWAY', 'b GOING_AWAY']);
  expect(isClosed).toBe(false);
  gate.pass();
  expect(await stage.happened()).toEqual(['commit t 1-1', 'register t 1', 'p1 at 1', 'a=1@1']);
  expect(isClosed).toBe(true);
});
