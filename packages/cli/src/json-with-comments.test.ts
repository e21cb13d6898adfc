import { describe, expect, test } from 'vitest';
import { JsonMistake, parseJsonWithComments } from './json-with-comments.ts';

const FILE = `// what this is
{
  /* two
     lines */
  "port": 8080, // behind nginx
  "topics": [
    { "pattern": "chat/:room" },
    { "pattern": "https://not-a-comment/*", },
  ],
}
`;

describe('JSON with comments', () => {
  test('is its value, and the line of each key', () => {
    const { value, lines } = parseJsonWithComments(FILE);
    expect(value).toEqual({ port: 8080, topics: [{ pattern: 'chat/:room' }, { pattern: 'https://not-a-comment/*' }] });
    expect([lines.get(''), lines.get('port'), lines.get('topics'), lines.get('topics[1].pattern')]).toEqual([2, 5, 6, 8]);
  });

  test.each(['{}', '[]', '"a\\n\\u00e4"', '-1.5e3', 'true', 'null', '\uFEFF{"a":[[],{}]}'])('%s is as JSON has it', (text) => {
    expect(parseJsonWithComments(text).value).toEqual(JSON.parse(text.replace('\uFEFF', '')));
  });

  test.each([
    ['{\n"a": secret}', 2, 'want a value'],
    ['{\n\n"a" 1}', 3, 'want ":" after the key "a"'],
    ['{"a": 1 "b": 2}', 1, 'want "," or "}"'],
    ['{"a": 1,\n "a": 2}', 2, 'the key "a" stands here twice'],
    ['{"__proto__": 1}', 1, '"__proto__"'],
    ['{a: 1}', 1, 'want a key in double quotes'],
    ['{"a": "b\n"}', 1, 'does not end on its line'],
    ['{"a": "\\x"}', 1, 'an escape'],
    ['{"a": 1.2.3}', 1, 'no number'],
    ['{"a": 1', 1, 'want "," or "}"'],
    ['{}\n{}', 2, 'nothing more'],
    ['', 1, 'want a value'],
    ['['.repeat(40), 1, 'levels'],
  ])('%j is a mistake in line %d', (text, line, message) => {
    let mistake: unknown;
    try {
      parseJsonWithComments(text);
    } catch (error) {
      mistake = error;
    }
    expect(mistake).toBeInstanceOf(JsonMistake);
    expect(mistake).toMatchObject({ line, message: expect.stringContaining(message) });
    expect(String(mistake)).not.toContain('secret');
  });
});
