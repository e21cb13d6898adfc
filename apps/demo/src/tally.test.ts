import { describe, expect, it } from 'vitest';
import type { Shown } from './stream.ts';
import { tallyOf } from './tally.ts';

type Entry = Shown['entries'][number];

function entry(offset: number, seq: number, producer = 'p'): Entry {
  return { offset, producer, seq, from: 'ada', at: 0, data: null };
}

describe('tallyOf', () => {
  it('counts nothing in nothing', () => {
    expect(tallyOf({ entries: [], gap: undefined })).toEqual({
      received: 0,
      duplicates: 0,
      missing: 0,
      cut: 0,
      firstOffset: undefined,
      lastOffset: undefined,
    });
  });

  it('finds nothing wrong with a dense piece of a log, wherever it begins', () => {
    const entries = [entry(7, 1), entry(8, 2), entry(9, 1, 'q')];
    expect(tallyOf({ entries, gap: undefined })).toMatchObject({ received: 3, duplicates: 0, missing: 0, firstOffset: 7, lastOffset: 9 });
  });

  it('sees a hole, an offset that is there twice, and a publish that was stored twice', () => {
    expect(tallyOf({ entries: [entry(1, 1), entry(4, 2)], gap: undefined })).toMatchObject({ duplicates: 0, missing: 2 });
    expect(tallyOf({ entries: [entry(1, 1), entry(2, 2), entry(2, 2)], gap: undefined })).toMatchObject({ duplicates: 1, missing: 0 });
    expect(tallyOf({ entries: [entry(1, 1), entry(2, 2), entry(3, 1)], gap: undefined })).toMatchObject({ duplicates: 1, missing: 0 });
  });

  it('takes the entries of one atomic publish for what they are', () => {
    expect(tallyOf({ entries: [entry(1, 1), entry(2, 1), entry(3, 1)], gap: undefined })).toMatchObject({ duplicates: 0 });
  });

  it('counts what the server said it had cut, within one epoch', () => {
    const gap = {
      type: 'gap',
      reason: 'retention',
      before: { epoch: 'a', offset: 3, revision: 0 },
      after: { epoch: 'a', offset: 10, revision: 0 },
    } as const;
    expect(tallyOf({ entries: [entry(11, 1)], gap })).toMatchObject({ received: 1, missing: 0, cut: 7 });
    const epoch = { ...gap, reason: 'epoch', after: { epoch: 'b', offset: 0, revision: 0 } } as const;
    expect(tallyOf({ entries: [], gap: epoch })).toMatchObject({ cut: 0 });
  });
});
