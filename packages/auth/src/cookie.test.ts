import { expect, test } from 'vitest';
import { cookiesNamed } from './cookie.ts';

test.for<[string, string | readonly string[] | undefined, readonly string[]]>([
  ['no header', undefined, []],
  ['an empty header', '', []],
  ['one', 'session=abc', ['abc']],
  ['among others, with any space', 'a=1;session=abc ;  b=2', ['abc']],
  ['quoted', 'session="abc"', ['abc']],
  ['one quote', 'session="abc', ['"abc']],
  ['a quote alone', 'session="', ['"']],
  ['with equals signs', 'session=a=b==', ['a=b==']],
  ['empty', 'session=', ['']],
  ['a name without a value', 'session; a=1', []],
  ['a value that looks like it', 'a=session=abc', []],
  ['a longer name', 'mysession=abc; session2=abc', []],
  ['other letters', 'Session=abc; SESSION=abc', []],
  ['twice', 'session=abc; session=def', ['abc', 'def']],
  ['several headers', ['session=abc', 'a=1; session=def'], ['abc', 'def']],
  ['not decoded', 'session=a%20b', ['a%20b']],
  ['a name from the prototype', 'toString=abc', []],
  ['only separators', ';;; = ;=;', []],
])('%s', ([, header, values]) => {
  expect(cookiesNamed('session', header)).toEqual(values);
});

test('names with prefixes and signs are taken letter by letter', () => {
  expect(cookiesNamed('__Host-s.id', '__Host-sxid=no; __Host-s.id=yes')).toEqual(['yes']);
});
