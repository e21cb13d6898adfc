import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { names, topics } from './messages.testing.ts';
import { isName, isRegisterKey, isTopicName, KEY_LENGTH_MAX, TOPIC_LENGTH_MAX } from './names.ts';

const ALL_UNITS = Array.from({ length: 0x10000 }, (_, unit) => String.fromCharCode(unit));

describe('HF-1.1: topic names', () => {
  test.each(['a', 'chat/42', 'a/b/c', 'A-Z_a.z:0@9~+=,-', '=20=2F', '-', '.', '..', 'x'.repeat(TOPIC_LENGTH_MAX), `${'x/'.repeat(99)}xy`])(
    'legal: %j',
    (name) => {
      expect(isTopicName(name)).toBe(true);
    },
  );

  test.each([
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    'a b',
    'a\n',
    '\na',
    'a%20',
    'a?',
    'a#b',
    'a*',
    'ä',
    '"',
    '\\',
    'x'.repeat(TOPIC_LENGTH_MAX + 1),
    `${'x/'.repeat(100)}x`,
  ])('illegal: %j', (name) => {
    expect(isTopicName(name)).toBe(false);
  });

  test.each([undefined, null, 1, true, ['a'], { toString: (): string => 'a' }])('illegal: no string, %j', (name) => {
    expect(isTopicName(name)).toBe(false);
  });

  test('exactly the listed characters make a segment', () => {
    const legal = ALL_UNITS.filter((unit) => isTopicName(unit)).join('');
    expect(legal).toBe('+,-.0123456789:=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~');
  });

  test('what the grammar generates is legal', () => {
    fc.assert(fc.property(topics, (name) => isTopicName(name)));
  });

  test('a long illegal name costs no more than its length', () => {
    expect(isTopicName(`${'a/'.repeat(1_000_000)}`)).toBe(false);
  });
});

describe('HF-1.2: names of clients, producers and epochs', () => {
  test.each(['a', '0', 'tab-7f3a', 'A_z.0~-', '-', 'x'.repeat(64)])('legal: %j', (name) => {
    expect(isName(name)).toBe(true);
  });

  test.each(['', 'x'.repeat(65), 'a/b', 'a b', 'a:b', 'a@b', 'a\n', 'ä', 7, null, undefined])('illegal: %j', (name) => {
    expect(isName(name)).toBe(false);
  });

  test('exactly the listed characters', () => {
    const legal = ALL_UNITS.filter((unit) => isName(unit)).join('');
    expect(legal).toBe('-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~');
  });

  test('what the grammar generates is legal', () => {
    fc.assert(fc.property(names, (name) => isName(name)));
  });
});

test('HF-7.7: a register key is as a topic name, of at most 128 characters', () => {
  expect(isRegisterKey('read/alice')).toBe(true);
  expect(isRegisterKey('x'.repeat(KEY_LENGTH_MAX))).toBe(true);
  expect(isRegisterKey('x'.repeat(KEY_LENGTH_MAX + 1))).toBe(false);
  expect(isRegisterKey('')).toBe(false);
  expect(isRegisterKey('a//b')).toBe(false);
});
