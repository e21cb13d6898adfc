import { HoldfastError } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Kind } from './kind.ts';
import { PendingBatch } from './pending-batch.ts';
import type { Outcome } from './store.ts';
import { TopicLog, type Decision, type ProducerState, type PublishRequest, type Verdict } from './topic-log.ts';

const NOW = 1_700_000_000_000;
const W = 4;

let log: TopicLog;
let producer: ProducerState;
let batch: PendingBatch;

beforeEach(() => {
  open({ name: 'log' });
});

function open(kind: Kind): void {
  log = new TopicLog('chat/42', kind, W);
  log.load({ epoch: 'k1', first: 1, last: 10, revision: 0 });
  producer = log.loadProducer('p alice', undefined);
  batch = new PendingBatch();
}

function request(seq: number, more: Partial<PublishRequest> = {}): PublishRequest {
  return { topic: 'chat/42', identity: { subject: 'alice' }, producer: 'p', seq, digest: `d${seq}`, payloads: [`"${seq}"`], ...more };
}

function decide(seq: number, more: Partial<PublishRequest> = {}): Verdict<Decision> {
  return log.decide(request(seq, more), producer, NOW, batch);
}

function accepted(offset: number, more: object = {}): object {
  return { kind: 'accepted', offset, count: 1, epoch: 'k1', duplicate: false, ...more };
}

function codeOf({ answer }: Verdict<Decision>): string {
  return answer.kind === 'refused' ? answer.error.code : answer.kind;
}

describe('HF-6.2, decision 1: seqs are dense', () => {
  test('each takes the next offset and answers with its batch', () => {
    expect(decide(1)).toEqual({ answer: accepted(11), batch });
    expect(decide(2)).toEqual({ answer: accepted(12), batch });
    expect(batch.toBatch().publishes.map(({ seq, outcome }) => ({ seq, outcome }))).toEqual([
      { seq: 1, outcome: { kind: 'accepted', offset: 11, count: 1 } },
      { seq: 2, outcome: { kind: 'accepted', offset: 12, count: 1 } },
    ]);
    expect(batch.commits.get(log)?.entries).toEqual([
      { offset: 11, producer: 'p', seq: 1, from: 'alice', at: NOW, payload: '"1"' },
      { offset: 12, producer: 'p', seq: 2, from: 'alice', at: NOW, payload: '"2"' },
    ]);
  });

  test('a hole is refused at once and leaves nothing behind', () => {
    decide(1);
    expect(codeOf(decide(3))).toBe('SEQ_GAP');
    expect(decide(3).batch).toBeUndefined();
    expect(log.last).toBe(11);
    expect(decide(2).answer).toEqual(accepted(12));
  });

  test('HF-6.9, decision 5: a seq above 1 of a producer that is not known', () => {
    expect(codeOf(decide(2))).toBe('PRODUCER_UNKNOWN');
    expect(log.last).toBe(10);
    expect(batch.isEmpty).toBe(true);
  });

  test('a producer that leads to nothing is not kept in memory', () => {
    decide(2);
    expect(log.producers.size).toBe(0);
    decide(1);
    expect(log.producers.get('p alice')).toBe(producer);
  });
});

describe('HF-6.5, decision 2: a resend gets its original answer', () => {
  test('an acceptance', () => {
    decide(1);
    expect(decide(1)).toEqual({ answer: accepted(11, { duplicate: true }), batch });
    expect(log.last).toBe(11);
  });

  test('an atomic batch, with its count', () => {
    const entries = { payloads: ['1', '2', '3'] };
    expect(decide(1, entries).answer).toEqual(accepted(11, { count: 3 }));
    expect(decide(1, entries).answer).toEqual(accepted(11, { count: 3, duplicate: true }));
    expect(decide(2).answer).toEqual(accepted(14));
  });

  test('a refusal', () => {
    const verdict = new HoldfastError('REFUSED', 'not on Sundays');
    const first = decide(1, { verdict });
    const again = decide(1);
    expect(again).toEqual(first);
    expect(again.answer).toMatchObject({ kind: 'refused', error: { code: 'REFUSED', message: 'not on Sundays' } });
  });

  test('after it was read back from the store', () => {
    const outcome: Outcome = { kind: 'accepted', offset: 7, count: 2 };
    producer = log.loadProducer('p alice', { seq: 3, at: NOW, recent: [{ seq: 3, digest: 'd3', outcome }] });
    expect(decide(3)).toEqual({ answer: accepted(7, { count: 2, duplicate: true }), batch: undefined });
  });

  test('a refusal whose code only a later version knows stays terminal', () => {
    const outcome: Outcome = { kind: 'refused', code: 'OUT_OF_TUNE', message: 'sing again' };
    producer = log.loadProducer('p alice', { seq: 1, at: NOW, recent: [{ seq: 1, digest: 'd1', outcome }] });
    expect(decide(1).answer).toMatchObject({ kind: 'refused', error: { code: 'REFUSED', message: 'sing again', retryable: false } });
  });

  test('another payload under the same seq', () => {
    decide(1);
    expect(codeOf(decide(1, { digest: 'other' }))).toBe('SEQ_CONFLICT');
    expect(decide(1).answer).toEqual(accepted(11, { duplicate: true }));
  });

  test('exactly the last W are known, and what is older is said to be stale', () => {
    for (let seq = 1; seq <= W + 1; seq++) decide(seq);
    expect(codeOf(decide(1))).toBe('STALE_SEQ');
    expect(decide(2).answer).toEqual(accepted(12, { duplicate: true }));
  });

  test('a verdict of the hooks changes nothing about it', () => {
    decide(1);
    expect(decide(1, { verdict: new HoldfastError('FORBIDDEN') }).answer).toEqual(accepted(11, { duplicate: true }));
    expect(decide(1, { verdict: new HoldfastError('OVERLOADED') }).answer).toEqual(accepted(11, { duplicate: true }));
  });
});

describe('HF-6.4, decision 1: a terminal refusal spends its seq', () => {
  test.each(['FORBIDDEN', 'UNKNOWN_TOPIC', 'REFUSED', 'TOO_LARGE'] as const)('%s', (code) => {
    const { answer, batch: due } = decide(1, { verdict: new HoldfastError(code) });
    expect(answer).toMatchObject({ kind: 'refused', error: { code } });
    expect(due).toBe(batch);
    expect(batch.toBatch().publishes).toMatchObject([{ seq: 1, outcome: { kind: 'refused', code }, payloads: [] }]);
    expect(decide(2).answer).toEqual(accepted(11));
  });

  test('HEAD_MISMATCH, by what has its place and is not durable yet', () => {
    decide(1);
    expect(decide(2, { ifHead: 10 })).toMatchObject({ answer: { error: { code: 'HEAD_MISMATCH' } }, batch });
    expect(decide(3, { ifHead: 11 }).answer).toEqual(accepted(12));
  });

  test('a refusal of the kind', () => {
    open({ name: 'closed', admit: () => new HoldfastError('REFUSED', 'full') });
    expect(decide(1).answer).toMatchObject({ kind: 'refused', error: { code: 'REFUSED', message: 'full' } });
    expect(batch.toBatch().publishes).toHaveLength(1);
  });
});

describe('HF-6.6, decision 1: a retryable refusal stops the producer', () => {
  const overloaded = new HoldfastError('OVERLOADED', undefined, { retryAfterMs: 250 });

  test('nothing is spent, higher seqs are stopped until that one has succeeded', () => {
    expect(decide(1, { verdict: overloaded })).toEqual({ answer: { kind: 'refused', error: overloaded }, batch: undefined });
    expect(codeOf(decide(2))).toBe('PIPELINE_STOPPED');
    expect(codeOf(decide(3))).toBe('PIPELINE_STOPPED');
    expect(batch.isEmpty).toBe(true);
    expect(decide(1).answer).toEqual(accepted(11));
    expect(decide(2).answer).toEqual(accepted(12));
    expect(codeOf(decide(4))).toBe('SEQ_GAP');
  });

  test('a terminal refusal of that seq is a success in this sense', () => {
    decide(1, { verdict: overloaded });
    decide(1, { verdict: new HoldfastError('REFUSED') });
    expect(decide(2).answer).toEqual(accepted(11));
  });

  test('a kind that refuses as retryable spends nothing either', () => {
    const answers = [new HoldfastError('OVERLOADED'), undefined];
    open({ name: 'busy', admit: () => answers.shift() });
    expect(codeOf(decide(1))).toBe('OVERLOADED');
    expect(codeOf(decide(2))).toBe('PIPELINE_STOPPED');
    expect(batch.isEmpty).toBe(true);
    expect(decide(1).answer).toEqual(accepted(11));
  });

  test('the stop outlives a reload', () => {
    decide(1, { verdict: overloaded });
    log.load({ epoch: 'k1', first: 1, last: 10, revision: 0 });
    producer = log.loadProducer('p alice', undefined);
    expect(codeOf(decide(2))).toBe('PIPELINE_STOPPED');
  });
});

describe('HF-6.8: the epoch', () => {
  test('of another log refuses without spending anything', () => {
    expect(codeOf(decide(1, { epoch: 'k0' }))).toBe('EPOCH_CHANGED');
    expect(batch.isEmpty).toBe(true);
    expect(decide(1, { epoch: 'k1' }).answer).toEqual(accepted(11));
  });

  test('comes before everything else: a duplicate of another log is none of this one', () => {
    decide(1);
    expect(codeOf(decide(1, { epoch: 'k0' }))).toBe('EPOCH_CHANGED');
  });
});

describe('HF-6.11, decision 4: a producer belongs to its subject', () => {
  test('the same name under another subject is another producer', () => {
    decide(1);
    decide(2);
    const mallory = log.loadProducer('p mallory', undefined);
    const asMallory = (seq: number): Decision =>
      log.decide({ ...request(seq), identity: { subject: 'mallory' } }, mallory, NOW, batch).answer;
    expect(asMallory(3)).toMatchObject({ error: { code: 'PRODUCER_UNKNOWN' } });
    expect(asMallory(1)).toEqual(accepted(13));
    expect(decide(3).answer).toEqual(accepted(14));
  });
});

test('a kind replaces the payloads by as many as it likes', () => {
  open({ name: 'echo', admit: ({ payloads, offset }) => [...payloads, `"${offset}"`] });
  expect(decide(1).answer).toEqual(accepted(11, { count: 2 }));
  expect(batch.commits.get(log)?.entries.map(({ payload }) => payload)).toEqual(['"1"', '"11"']);
});

describe('what nobody used is forgotten', () => {
  test('producers of before, but nothing that waits for its commit', () => {
    decide(1);
    log.decide(request(1), log.loadProducer('p bob', undefined), NOW - 1, batch);
    log.forgetProducers(NOW);
    expect([...log.producers.keys()]).toEqual(['p alice', 'p bob']);
    batch.settle();
    log.forgetProducers(NOW);
    expect([...log.producers.keys()]).toEqual(['p alice']);
  });
});

describe('HF-7.7: registers', () => {
  beforeEach(() => {
    log.loadRegisters([]);
  });

  const write = (merge: 'max' | 'replace', value: number | string, ifRevision?: number): ReturnType<TopicLog['write']> =>
    log.write({ topic: 'chat/42', key: 'read/alice', merge, value, ifRevision }, batch);

  test('max: the larger number wins, the standing one is answered after its commit', () => {
    expect(write('max', 5)).toEqual({ answer: { key: 'read/alice', value: '5', revision: 1 }, batch });
    expect(write('max', 3)).toEqual({ answer: { key: 'read/alice', value: '5', revision: 1 }, batch });
    expect(write('max', 5).answer).toMatchObject({ revision: 1 });
    expect(write('max', 6).answer).toEqual({ key: 'read/alice', value: '6', revision: 2 });
    expect(batch.toBatch().registers).toEqual([
      { topic: 'chat/42', key: 'read/alice', value: '5', revision: 1 },
      { topic: 'chat/42', key: 'read/alice', value: '6', revision: 2 },
    ]);
  });

  test('max over something that is no number replaces it', () => {
    write('replace', 'soon');
    expect(write('max', 1).answer).toMatchObject({ value: '1', revision: 2 });
  });

  test('replace: any value, only at the revision asked for', () => {
    expect(write('replace', 'a', 1).answer).toMatchObject({ code: 'REVISION_MISMATCH' });
    expect(write('replace', 'a', 0).answer).toMatchObject({ value: '"a"', revision: 1 });
    expect(write('replace', 'b', 0)).toMatchObject({ answer: { code: 'REVISION_MISMATCH' }, batch });
    expect(write('replace', 'b', 1).answer).toMatchObject({ value: '"b"', revision: 2 });
  });
});
