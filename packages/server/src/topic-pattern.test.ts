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

  test.each(['', 'a//b', '/a', 'a/', 'a/*/b', 'a b', ':', 'x/:1', 'x/:a-b', 'é'])('%j can match no topic', (pattern) => {
    expect(() => parseTopicPattern(pattern)).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
  });
});
