import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isTypingSignal, TypingNotice, Typists, typingWords } from './typing.ts';

describe('TypingNotice', () => {
  it('says it at once, again every three seconds, and once that it is over', () => {
    const said: boolean[] = [];
    const notice = new TypingNotice(({ typing }) => said.push(typing));
    for (const atMs of [0, 100, 2_999]) notice.changed(false, atMs);
    expect(said).toEqual([true]);
    notice.changed(false, 3_000);
    expect(said).toEqual([true, true]);
    notice.changed(true, 3_001);
    notice.stopped();
    expect(said).toEqual([true, true, false]);
    notice.changed(false, 3_002);
    expect(said).toEqual([true, true, false, true]);
  });
});

describe('Typists', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('believes each for six seconds, renewed by the next signal', () => {
    const typists = new Typists();
    const changes = vi.fn();
    typists.names.subscribe(changes);
    typists.heard('ada', { typing: true });
    vi.advanceTimersByTime(5_000);
    typists.heard('ben', { typing: true });
    typists.heard('ada', { typing: true });
    vi.advanceTimersByTime(5_999);
    expect(typists.names.getSnapshot()).toEqual(['ada', 'ben']);
    vi.advanceTimersByTime(1);
    expect(typists.names.getSnapshot()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect(changes).toHaveBeenCalledTimes(4);
  });

  it('forgets who stopped, and everybody when the connection is lost', () => {
    const typists = new Typists();
    for (const name of ['ada', 'ben', 'cem']) typists.heard(name, { typing: true });
    typists.heard('ben', { typing: false });
    expect(typists.names.getSnapshot()).toEqual(['ada', 'cem']);
    typists.clear();
    expect(typists.names.getSnapshot()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('takes nothing else for a typing signal', () => {
  expect([{ typing: true }, { typing: 1 }, null, 'typing', {}].map(isTypingSignal)).toEqual([true, false, false, false, false]);
});

it('names one, two and many', () => {
  expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c', 'd']].map((names) => typingWords(names))).toEqual([
    '',
    'a is typing',
    'a and b are typing',
    'a and 3 others are typing',
  ]);
});
