import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTopicPattern } from './topic-pattern.ts';

describe('topic patterns', () => {
  test.each<[string, string, Record<string, string> | undefined]>([
    ['chat/:room', 'chat/42', { room: '42' }],
    ['chat/:room', 'chat', undefined],
    ['chat/:room', 'chat/42/x', undefined],
    ['chat/:room/log', 'chat/42/log', { room: '42' }],
    ['market/*', 'market/a/b', {}],
    ['market/*', 'market', undefined],
    ['market/*', 'markets/a', undefined],
    ['*', 'anything', {}],
    ['*', 'a/b/c', {}],
    ['exact', 'exact', {}],
    ['exact', 'exactly', undefined],
    [':a/:b', 'x/y', { a: 'x', b: 'y' }],
  ])('%s and %s', (pattern, topic, expected) => {
    expect(parseTopicPattern(pattern).match(topic)).toEqual(expected);
  });

  test('whether it matches is the same as what it matches, of any topic', () => {
    const segment = fc.constantFrom('a', 'b', 'a.b', 'a-b', 'aXb', '~', 'a+b', 'aab', '+', '');
    const patterns = fc.array(fc.constantFrom('a', 'b', 'a.b', 'a-b', '~', 'a+b', '+', '@=,', ':x', ':y'), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(patterns, fc.boolean(), fc.array(segment, { maxLength: 5 }), (segments, isOpen, parts) => {
        const pattern = parseTopicPattern([...segments, ...(isOpen ? ['*'] : [])].join('/'));
        const topic = parts.join('/');
        expect(pattern.matches(topic)).toBe(pattern.match(topic) !== undefined);
      }),
      { numRuns: 2_000 },
    );
  });

  test('HF-1.1: no character of a name means anything but itself', () => {
    for (const character of '_.:@~+=,-') {
      const name = `a${character}b`;
      expect(parseTopicPattern(name).matches(name)).toBe(true);
      for (const other of ['aab', 'ab', 'aXb', 'abb']) expect(parseTopicPattern(name).matches(other)).toBe(false);
      if (character !== ':') expect(parseTopicPattern(`${character}/*`).matches(`${character}/x`)).toBe(true);
    }
  });

  test.each(['', 'a//b', '/a', 'a/', 'a/*/b', 'a b', ':', 'x/:1', 'x/:a-b', 'é'])('%j can match no topic', (pattern) => {
    expect(() => parseTopicPattern(pattern)).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
  });
});
