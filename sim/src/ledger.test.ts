import type { Batch, DecidedPublish } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import type { EntryItem, GapItem } from '@holdfast/client';
import { beforeEach, describe, expect, test } from 'vitest';
import { Ledger, type Publication } from './ledger.ts';
import { payloadOf } from './payload.ts';
import { Verdict, type Property } from './properties.ts';
import { Tally } from './tally.ts';
import { Witness } from './witness.ts';

let verdict: Verdict;
let ledger: Ledger;

beforeEach(() => {
  verdict = new Verdict(() => 0);
  ledger = new Ledger(verdict, new Tally(), { isForgetful: false, isClockSteady: true });
  ledger.stored({ found: [{ topic: 't', epoch: 'e' }], publishes: [], registers: [] });
});

function violated(): Property | undefined {
  return verdict.violation?.property;
}

function publish(counter: number, count = 1, more: Partial<Publication> = {}): Publication {
  const ids = Array.from({ length: count }, (_, at) => `d@alice/${counter}.${at}`);
  const fields = { mayMismatch: false, mayExpire: false, isRefused: false, ...more };
  const publication = ledger.published({ device: 'd', subject: 'alice', topic: 't', counter, ids, ...fields });
  ledger.durable({
    rows: [
      {
        id: counter,
        topic: 't',
        items: ids.map((id) => payloadOf({ id, padding: '' }, false)),
        at: 0,
        producer: 'p',
        seq: counter,
        epoch: 'e',
      },
    ],
  });
  return publication;
}

/** The batch that stores these ids at `offset`. */
function batch(offset: number, ids: readonly string[], more: Partial<DecidedPublish> = {}): Batch {
  const payloads = ids.map((id) => JSON.stringify({ id, padding: '' }));
  const publish: DecidedPublish = {
    topic: 't',
    subject: 'alice',
    producer: 'p',
    seq: 1,
    digest: '',
    at: 0,
    outcome: { kind: 'accepted', offset, count: ids.length },
    payloads,
    ...more,
  };
  return { found: [], publishes: [publish], registers: [] };
}

describe('the ledger', () => {
  test('has nothing to say where all is well', () => {
    const [one, two] = [publish(1), publish(2, 3)];
    ledger.stored(batch(1, one.ids));
    ledger.stored(batch(2, two.ids));
    ledger.acknowledging('t', 'e', 4);
    ledger.acknowledged(one, { offset: 1, epoch: 'e', duplicate: false });
    ledger.acknowledged(two, { offset: 2, epoch: 'e', duplicate: true });
    ledger.settled();
    expect(violated()).toBeUndefined();
  });

  test.for<[string, Property, () => void]>([
    ['an acknowledgement of what is not durable', 'acknowledged-when-durable', () => ledger.acknowledging('t', 'e', 1)],
    [
      'a wrong offset',
      'acknowledged-at-its-offset',
      () => (ledger.stored(batch(1, publish(1).ids)), ledger.acknowledged(publish(2), { offset: 1, epoch: 'e', duplicate: false })),
    ],
    ['a payload twice', 'nothing-twice', () => (ledger.stored(batch(1, publish(1).ids)), ledger.stored(batch(2, ['d@alice/1.0'])))],
    ['a payload that nobody published', 'nothing-invented', () => ledger.stored(batch(1, ['d@alice/9.0']))],
    ['another subject', 'nothing-invented', () => ledger.stored(batch(1, publish(1).ids, { subject: 'bob' }))],
    ['a hole in the offsets', 'offsets-dense', () => ledger.stored(batch(2, publish(1).ids))],
    ['half of an atomic publish', 'publish-together', () => ledger.stored(batch(1, publish(1, 2).ids.slice(0, 1)))],
    [
      'an overtaking publish',
      'publish-order',
      () => (publish(1), ledger.stored(batch(1, publish(2).ids)), ledger.stored(batch(2, ['d@alice/1.0']))),
    ],
    [
      'what was never durable in an outbox',
      'durable-before-sent',
      () => {
        ledger.published({
          device: 'd',
          subject: 'alice',
          topic: 't',
          counter: 1,
          ids: ['d@alice/1.0'],
          mayMismatch: false,
          mayExpire: false,
          isRefused: false,
        });
        ledger.stored(batch(1, ['d@alice/1.0']));
      },
    ],
    ['a refusal without a reason', 'refusals-legal', () => ledger.refused(publish(1), new HoldfastError('HEAD_MISMATCH'))],
    ['uncertainty without a reason', 'refusals-legal', () => ledger.refused(publish(1), new HoldfastError('UNCERTAIN'))],
    [
      'what was refused and is stored',
      'refused-is-not-stored',
      () => (
        ledger.refused(publish(1, 1, { mayMismatch: true }), new HoldfastError('HEAD_MISMATCH')),
        ledger.stored(batch(1, ['d@alice/1.0']))
      ),
    ],
    [
      'what was stored and is refused',
      'refused-is-not-stored',
      () => {
        const one = publish(1, 1, { mayMismatch: true });
        ledger.stored(batch(1, one.ids));
        ledger.refused(one, new HoldfastError('HEAD_MISMATCH'));
      },
    ],
    ['what was durable and is nowhere', 'all-settled', () => (publish(1), ledger.settled())],
    ['a register that never stood so', 'registers-rise', () => ledger.registered('t', { key: 'k', value: 1, revision: 1 })],
    [
      'a revision left out',
      'offsets-dense',
      () => ledger.stored({ found: [], publishes: [], registers: [{ topic: 't', key: 'k', value: '1', revision: 2 }] }),
    ],
  ])('finds %s', ([, property, act]) => {
    act();
    expect(violated()).toBe(property);
  });

  test('uncertainty is legal once the log that it was sent to is gone', () => {
    const one = publish(1);
    ledger.wiped();
    ledger.refused(one, new HoldfastError('UNCERTAIN'));
    ledger.settled();
    expect(violated()).toBeUndefined();
  });
});

describe('a witness', () => {
  const start = { epoch: 'e', offset: 0, revision: 0 };
  let witness: Witness;

  beforeEach(() => {
    for (let offset = 1; offset <= 4; offset++) {
      const { ids } = publish(offset);
      const hidden = offset === 3 ? { hiddenFrom: 'bob' } : {};
      ledger.stored(batch(offset, ids, { payloads: [JSON.stringify({ id: ids[0], ...hidden, padding: '' })] }));
    }
    witness = new Witness({ name: 'w', topic: 't', subject: 'bob', ledger, verdict, tally: new Tally() });
    witness.begin(start);
  });

  const entry = (offset: number, id = offset): EntryItem => ({
    type: 'entry',
    offset,
    producer: 'p',
    seq: 1,
    from: 'alice',
    at: 0,
    data: { id: `d@alice/${id}.0`, padding: '' },
  });
  const at = (offset: number): typeof start => ({ ...start, offset });
  const gap = (reason: GapItem['reason'], before: typeof start, after: typeof start): GapItem => ({ type: 'gap', reason, before, after });

  test('is content with every visible entry in order, and has then arrived', () => {
    for (const offset of [1, 2, 4]) {
      expect(witness.hasArrived(at(offset - 1))).toBe(false);
      witness.deliver(entry(offset), at(offset - 1));
      witness.asked(at(offset));
    }
    expect([violated(), witness.hasArrived(at(4))]).toEqual([undefined, true]);
  });

  test('a position may be beyond what is hidden', () => {
    for (const offset of [1, 2]) witness.deliver(entry(offset), at(offset - 1));
    witness.asked(at(3));
    expect(violated()).toBeUndefined();
  });

  test.for<[string, Property, () => void]>([
    ['an entry left out', 'consumer-order', () => witness.deliver(entry(2), start)],
    ['an entry twice', 'consumer-order', () => (witness.deliver(entry(1), start), witness.deliver(entry(1), start))],
    ['another entry at an offset', 'consumer-order', () => witness.deliver(entry(1, 2), start)],
    ['a hidden entry', 'consumer-order', () => [1, 2, 3].forEach((offset) => witness.deliver(entry(offset), at(offset - 1)))],
    ['a position that ran ahead', 'position-is-processed', () => (witness.deliver(entry(1), start), witness.asked(at(2)))],
    ['a position that stayed behind', 'position-is-processed', () => (witness.deliver(entry(1), start), witness.asked(start))],
    ['a gap where nothing was cut', 'gaps-legal', () => witness.deliver(gap('retention', start, at(2)), start)],
    [
      'a gap from elsewhere',
      'gaps-legal',
      () => (ledger.trimmed('t', { epoch: 'e', first: 3, last: 4, revision: 0 }), witness.deliver(gap('retention', at(1), at(2)), start)),
    ],
    ['a new epoch that is none', 'gaps-legal', () => witness.deliver(gap('epoch', start, { ...start, epoch: 'x' }), start)],
    ['a place ahead of an intact log', 'gaps-legal', () => witness.deliver(gap('ahead', start, start), start)],
    [
      'a register that was never written',
      'registers-rise',
      () => witness.deliver({ type: 'register', key: 'k', value: 1, revision: 1 }, start),
    ],
  ])('finds %s', ([, property, act]) => {
    act();
    expect(violated()).toBe(property);
  });

  test('a gap over what was cut is legal', () => {
    ledger.trimmed('t', { epoch: 'e', first: 4, last: 4, revision: 0 });
    witness.deliver(gap('retention', start, at(3)), start);
    witness.deliver(entry(4), at(3));
    expect(violated()).toBeUndefined();
  });
});
