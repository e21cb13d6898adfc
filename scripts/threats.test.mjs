import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkDependencies, checkThreats, isAtLeast, testsOf, threatsOf } from './threats.mjs';

let base;
const write = (file, text) => {
  mkdirSync(dirname(join(base, file)), { recursive: true });
  writeFileSync(join(base, file), text);
};

const row = (tests, where = '`packages/a/src/wall.ts`') => `| T-1 | climbs | a wall | ${where} | ${tests} | rain |\n`;
const TEST = '`packages/a/src/wall.test.ts`';

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-threats-'));
  write('packages/a/src/wall.ts', '');
  write('packages/a/src/wall.test.ts', `test('nobody climbs over the wall', () => {});\ntest('nor digs below the wall', () => {});\n`);
});
afterEach(() => rmSync(base, { recursive: true }));

describe('threatsOf and testsOf', () => {
  it('read rows with their cells, and files with the titles behind them', () => {
    expect(threatsOf(`| id | attack |\n|---|---|\n${row('x')}`)).toEqual([
      { id: 'T-1', cells: ['climbs', 'a wall', '`packages/a/src/wall.ts`', 'x', 'rain'] },
    ]);
    expect(testsOf('`a.test.ts` "one", "two"; `b/c.test.mjs` "three"')).toEqual([
      { file: 'a.test.ts', titles: ['one', 'two'] },
      { file: 'b/c.test.mjs', titles: ['three'] },
    ]);
  });
});

describe('checkThreats', () => {
  const failuresOf = (text) => {
    write('THREAT_MODEL.md', text);
    return checkThreats(base).failures;
  };

  it('finds nothing wrong where each test is there', () => {
    write('THREAT_MODEL.md', row(`${TEST} "nobody climbs over the wall", "nor digs below the wall"`));
    expect(checkThreats(base)).toEqual({ failures: [], threats: 1, titles: 2 });
  });

  it('finds a title that is gone, and a file that is gone', () => {
    expect(failuresOf(row(`${TEST} "nobody flies over the wall"`))).toEqual([
      'THREAT_MODEL.md: T-1 names "nobody flies over the wall", which is not in packages/a/src/wall.test.ts',
    ]);
    expect(failuresOf(row('`packages/a/src/moat.test.ts` "nobody swims through the moat"'))).toEqual([
      'THREAT_MODEL.md: T-1 names packages/a/src/moat.test.ts, which does not exist',
      'THREAT_MODEL.md: there is no packages/a/src/moat.test.ts',
    ]);
    expect(failuresOf(row(`${TEST} "nobody climbs over the wall"`, '`packages/a/src/moat.ts`'))).toEqual([
      'THREAT_MODEL.md: there is no packages/a/src/moat.ts',
    ]);
  });

  it.each([
    ['a comment', '// nobody flies over the wall'],
    ['a body', `test('nobody walks', () => expect('nobody flies over the wall').toBe(1));`],
    ['a name that is no test', `best('nobody flies over the wall', () => {});`],
    ['a table of no test', `const rows = ['nobody flies over the wall'];`],
  ])('a title in %s is no title', (_where, source) => {
    write('packages/a/src/wall.test.ts', source);
    expect(failuresOf(row(`${TEST} "nobody flies over the wall"`))).toEqual([
      'THREAT_MODEL.md: T-1 names "nobody flies over the wall", which is not in packages/a/src/wall.test.ts',
    ]);
  });

  it.each([
    ['of a description', `describe("nobody flies over the wall", () => {});`],
    ['in a template', 'test(`${who}: nobody flies over the wall`, () => {});'],
    ['on a condition', `describe.skipIf(lack)('nobody flies over the wall', () => {});`],
    ['of a row', `test.each<[string, number]>([['nobody flies over the wall', 1]])('%s', () => {});`],
    ['of a row elsewhere', `const rows = [{ name: 'nobody flies over the wall' }];\ntest.for([...rows])('$name', () => {});`],
    ['of a case', `const more = { 'nobody flies over the wall': () => 1 };\ntest.each(Object.entries({ ...more }))('%s', () => {});`],
  ])('finds a title %s', (_where, source) => {
    write('packages/a/src/wall.test.ts', source);
    expect(failuresOf(row(`${TEST} "nobody flies over the wall"`))).toEqual([]);
  });

  it.each([
    ['test.skip', `test.skip('nobody climbs over the wall', () => {});`],
    ['describe.skip', `describe.skip('walls', () => test('nobody climbs over the wall', () => {}));`],
    ['it.only', `it('nobody climbs over the wall', () => {}); it.only.each([1])('%i', () => {});`],
    ['it.todo', `it('nobody climbs over the wall', { todo: true }, () => {});`],
  ])('refuses a file with a %s', (off, source) => {
    write('packages/a/src/wall.test.ts', source);
    expect(failuresOf(row(`${TEST} "nobody climbs over the wall"`))).toEqual([
      `THREAT_MODEL.md: T-1 names packages/a/src/wall.test.ts, where there is a ${off}`,
    ]);
  });

  it('takes a whole title however short it is', () => {
    write('packages/a/src/wall.test.ts', `test.each(['a ladder'])('%s', () => {});`);
    expect(failuresOf(row(`${TEST} "a ladder"`))).toEqual([]);
    expect(failuresOf(row(`${TEST} "ladder"`))).toEqual(['THREAT_MODEL.md: T-1 names "ladder", which is too short to be one test']);
  });

  it('wants files of every folder to be there', () => {
    expect(failuresOf(row(`${TEST} "nobody climbs over the wall"`, '`fuzz/src/wall.ts`'))).toEqual([
      'THREAT_MODEL.md: there is no fuzz/src/wall.ts',
    ]);
  });

  it('wants a test in each row, by a title that is one', () => {
    expect(failuresOf(row('the guard'))).toEqual(['THREAT_MODEL.md: T-1 names no test']);
    expect(failuresOf(row(TEST))).toEqual(['THREAT_MODEL.md: T-1 names no test in packages/a/src/wall.test.ts']);
    expect(failuresOf(row(`${TEST} "nobody"`))).toEqual(['THREAT_MODEL.md: T-1 names "nobody", which is too short to be one test']);
  });

  it('wants whole rows, each once, and any at all', () => {
    const good = row(`${TEST} "nobody climbs over the wall"`);
    expect(failuresOf(good + good)).toEqual(['THREAT_MODEL.md: T-1 is there twice']);
    expect(failuresOf(good.replace(' rain ', ' '))[0]).toContain('T-1 wants five cells');
    expect(failuresOf('Nobody would.')).toEqual(['THREAT_MODEL.md has no row that begins with T-1']);
    rmSync(join(base, 'THREAT_MODEL.md'));
    expect(checkThreats(base).failures).toEqual(['THREAT_MODEL.md is missing']);
  });
});

describe('checkDependencies', () => {
  const begin = (range, installed = '8.23.0', listed = '| `ws` | sockets |\n') => {
    write('package.json', '{"workspaces":["packages/*"]}');
    write('packages/server/package.json', JSON.stringify({ name: '@holdfast/server', dependencies: { ws: range, '@holdfast/wire': '1' } }));
    write('node_modules/ws/package.json', JSON.stringify({ version: installed }));
    write('SECURITY.md', listed);
    return checkDependencies(base).failures;
  };

  it.each(['^8.21.0', '^8.23.0', '>=8.21.0 <9', '9.0.0'])('takes %s', (range) => {
    expect(begin(range)).toEqual([]);
  });

  it.each(['^8.20.1', '^7.5.10', '*', '8'])('refuses %s, which may be older than what is sound', (range) => {
    expect(begin(range)).toEqual([`packages/server/package.json: ws ${range} may be older than 8.21.0`]);
  });

  it('refuses what is installed, if it is older', () => {
    expect(begin('^8.21.0', '8.20.9')).toEqual(['node_modules/ws is 8.20.9, older than 8.21.0']);
  });

  it('wants the list of SECURITY.md to be that of the packages', () => {
    expect(begin('^8.23.0', '8.23.0', '| `jose` | tokens |\n')).toEqual([
      'SECURITY.md does not list the dependency ws',
      'SECURITY.md lists jose, which the server does not need',
    ]);
  });

  it('compares versions by number', () => {
    expect([
      isAtLeast('8.21.0', '8.21.0'),
      isAtLeast('8.100.0', '8.21.0'),
      isAtLeast('10.0.0', '9.9.9'),
      isAtLeast('8.3.9', '8.21.0'),
    ]).toEqual([true, true, true, false]);
  });
});
