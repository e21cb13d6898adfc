import type { OutboxRow } from '@holdfast/client';
import { describe, expect, it } from 'vitest';
import { streamOf, type Message, type RowKeys, type Shown, type StreamItem } from './stream.ts';

type Entry = Shown['entries'][number];

const NOON = Date.UTC(2026, 0, 5, 12);
const MINUTE_MS = 60_000;

function entry(offset: number, from: string, text: string, at: number = NOON): Entry {
  return { offset, producer: `of ${from}`, seq: offset, from, at, data: { text } };
}

function row(id: number, text: string, more: Partial<OutboxRow> = {}): OutboxRow {
  return {
    id,
    topic: 'chat/x',
    items: [{ text }],
    at: NOON,
    state: 'queued',
    subject: 'ada',
    producer: undefined,
    seq: undefined,
    ...more,
  };
}

function show(entries: readonly Entry[], rows: readonly OutboxRow[], keys: RowKeys = new Map(), gap?: Shown['gap']): readonly StreamItem[] {
  return streamOf({ entries, gap }, rows, 'ada', keys);
}

function messages(items: readonly StreamItem[]): readonly Message[] {
  return items.filter((item) => item.kind === 'message');
}

describe('streamOf', () => {
  it('shows the log, then what waits', () => {
    const shown = messages(
      show([entry(1, 'ben', 'a'), entry(2, 'ada', 'b')], [row(1, 'c'), row(2, 'd', { state: 'uncertain', producer: 'p', seq: 9 })]),
    );
    expect(shown.map(({ text, isMine, state, rowId }) => [text, isMine, state, rowId])).toEqual([
      ['a', false, 'stored', undefined],
      ['b', true, 'stored', undefined],
      ['c', true, 'waiting', 1],
      ['d', true, 'uncertain', 2],
    ]);
  });

  it('keeps the key of a message from its writing to its place in the log, and never shows it twice', () => {
    const keys: RowKeys = new Map();
    const sending = row(4, 'x', { state: 'sending', producer: 'of ada', seq: 1 });
    const key = (items: readonly StreamItem[]): readonly string[] => messages(items).map((message) => message.key);
    expect(key(show([], [row(4, 'x')], keys))).toEqual(['row 4']);
    expect(key(show([], [sending], keys))).toEqual(['row 4']);
    expect(key(show([entry(1, 'ada', 'x')], [sending], keys))).toEqual(['row 4']);
    expect(key(show([entry(1, 'ada', 'x')], [], keys))).toEqual(['row 4']);
  });

  it('gives the entries of one publish keys of their own', () => {
    const twins = [entry(1, 'ben', 'a'), { ...entry(2, 'ben', 'b'), seq: 1 }];
    expect(new Set(messages(show(twins, [])).map(({ key }) => key)).size).toBe(2);
  });

  it('puts what one person says within five minutes together', () => {
    const entries = [
      entry(1, 'ben', 'a'),
      entry(2, 'ben', 'b', NOON + 4 * MINUTE_MS),
      entry(3, 'ben', 'c', NOON + 10 * MINUTE_MS),
      entry(4, 'ada', 'd', NOON + 10 * MINUTE_MS),
    ];
    expect(messages(show(entries, [])).map(({ isFirst, isLast }) => [isFirst, isLast])).toEqual([
      [true, false],
      [false, true],
      [true, true],
      [true, true],
    ]);
  });

  it('says when a day begins', () => {
    const items = show(
      [entry(1, 'ben', 'a'), entry(2, 'ben', 'b', NOON + 48 * 60 * MINUTE_MS)],
      [row(1, 'c', { at: NOON + 48 * 60 * MINUTE_MS })],
    );
    expect(items.map(({ kind }) => kind)).toEqual(['day', 'message', 'day', 'message', 'message']);
  });

  it('says where history was cut, unless what followed was let go as well', () => {
    const gap = {
      type: 'gap',
      reason: 'retention',
      before: { epoch: 'a', offset: 1, revision: 0 },
      after: { epoch: 'a', offset: 5, revision: 0 },
    } as const;
    expect(show([], [], new Map(), gap).map(({ kind }) => kind)).toEqual(['gap']);
    expect(show([entry(6, 'ben', 'a')], [], new Map(), gap).map(({ kind }) => kind)).toEqual(['gap', 'day', 'message']);
    expect(show([entry(8, 'ben', 'a')], [], new Map(), gap).map(({ kind }) => kind)).toEqual(['day', 'message']);
  });

  it('shows whatever somebody else published', () => {
    const payloads = ['bare', { type: 'message', text: 'plain' }, { rating: 5 }, null, new Uint8Array(3)];
    const entries = payloads.map((data, index) => ({ ...entry(index + 1, 'ben', ''), data }));
    expect(messages(show(entries, [])).map(({ text }) => text)).toEqual(['bare', 'plain', '{"rating":5}', 'null', '3 bytes']);
  });
});
