import { describe, expect, test } from 'vitest';
import { linesOf, parseLine } from './irc-log.ts';
import { legalName, legalTopicSegment } from './legal-name.ts';

describe('a line of an IRC log', () => {
  test.each([
    ['[09:14] <crimsun> kleedrac: I am  afraid not. ', { kind: 'message', nick: 'crimsun', text: 'kleedrac: I am  afraid not. ' }],
    ['[09:15] <|QuaD-> <b> a > b', { kind: 'message', nick: '|QuaD-', text: '<b> a > b' }],
    ['[21:02] <Alex[RM-UK] > hi', { kind: 'message', nick: 'Alex[RM-UK] ', text: 'hi' }],
    ['[23:59] <a>', { kind: 'message', nick: 'a', text: '' }],
    ['[10:00] <a> one\rtwo\u2028three', { kind: 'message', nick: 'a', text: 'one\rtwo\u2028three' }],
    ['[14:22]  * ubotu does not know', { kind: 'action', nick: 'ubotu', text: 'does not know' }],
    ['[01:26] -fqlvwfb:#ubuntu- All you', { kind: 'notice', nick: 'fqlvwfb', text: 'All you' }],
    ['=== L0sT [~waa3@raptor.example]  has joined #ubuntu', { kind: 'join', nick: 'L0sT' }],
    ['=== X _ [n=x@h] has joined #UBUNTU', { kind: 'join', nick: 'X _' }],
    ['=== sid77 [~sid@h]  has left #ubuntu ["Leaving"]', { kind: 'part', nick: 'sid77' }],
    ['=== sid77 [~sid@h]  has quit [Read error]', { kind: 'part', nick: 'sid77' }],
    ['=== dave is now known as dave|away', { kind: 'rename', nick: 'dave', newNick: 'dave|away' }],
    ['=== mode/#ubuntu [+o gnomefreak]  by ChanServ', { kind: 'other' }],
    ['=== reka looks up daemon', { kind: 'other' }],
    ['', { kind: 'other' }],
  ])('%j', (line, parsed) => {
    expect(parseLine(line)).toEqual(parsed);
  });

  test('ends with a line feed, and with nothing else', () => {
    expect(linesOf('a\r\nb\u2028c\n\nd\n')).toEqual(['a\r', 'b\u2028c', '', 'd']);
  });
});

describe('names', () => {
  test('become legal and stay different', () => {
    const nicks = ['a|b', 'a~7cb', 'a b', 'ab', '|QuaD-', '[unix]', 'é', '~', 'x'.repeat(80), `${'x'.repeat(79)}|`];
    const names = nicks.map(legalName);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_.~-]{1,64}$/);
    expect(new Set(names).size).toBe(nicks.length);
    expect(names.slice(0, 2)).toEqual(['a~7cb', 'a~7e7cb']);
    expect(legalTopicSegment('2004-12-25.train-c')).toBe('2004-12-25.train-c');
    expect(legalTopicSegment('a b=c')).toBe('a=20b=3dc');
  });
});
