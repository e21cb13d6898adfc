import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anchorsOf, checkClauses, checkInvariants, checkLinks, checkMachinePaths, checkReadmes } from './documents.mjs';

let base;
const write = (file, text) => {
  mkdirSync(dirname(join(base, file)), { recursive: true });
  writeFileSync(join(base, file), text);
};

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-documents-'));
});
afterEach(() => rmSync(base, { recursive: true }));

describe('anchorsOf', () => {
  it('makes them as a forge does', () => {
    const text = '# The `hub`, at rest\n## Limits\n## Limits\n```\n# not one\n```\n<a id="here"></a>\n## HF-6 Publishing';
    expect([...anchorsOf(text)]).toEqual(['here', 'the-hub-at-rest', 'limits', 'limits-1', 'hf-6-publishing']);
  });
});

describe('checkLinks', () => {
  it('follows relative links and anchors, and nothing else', () => {
    write(
      'docs/a.md',
      '# One\n[up](../b.md#two) [own](#one) [dir](..) [far](https://example.org/x)\n\n[ref]: ../b.md\n`[code](no.md)`\n```\n[c](no.md)\n```',
    );
    write('b.md', '## Two');
    expect(checkLinks(base)).toEqual([]);
  });

  it('reports files and anchors that do not exist', () => {
    write('a.md', '[x](no.md) [y](b.md#three) [z](#four) [r](/b.md)\n\n[ref]: nor.md');
    write('b.md', '## Two');
    expect(checkLinks(base)).toEqual([
      'a.md: no such file: no.md',
      'a.md: no such anchor: b.md#three',
      'a.md: no such anchor: #four',
      'a.md: no such file: /b.md',
      'a.md: no such file: nor.md',
    ]);
  });
});

describe('checkMachinePaths', () => {
  it('tells the path of a machine from a part of an address or a relative path', () => {
    const [home, rest] = ['/home', 'ann/notes'];
    write('a.md', `see ${home}/${rest}`);
    write('b.md', 'see ./work/x, https://example.org/root/x, docs/tmp/y and $HOME/work/');
    expect(checkMachinePaths(base)).toEqual([`a.md: the path of a machine: ${home}/ann`]);
  });
});

describe('checkReadmes', () => {
  beforeEach(() => {
    write('package.json', '{"workspaces":["packages/*"]}');
    write('packages/one/package.json', '{"name":"@x/one","exports":{".":"./dist/index.js"}}');
    write(
      'packages/one/src/index.ts',
      `/* export { no } from './no.ts'; */\nexport { a, type B, c as d } from './a.ts';\nexport * from './e.ts';\nexport type {\n  F,\n} from './f.ts';`,
    );
    write('packages/one/src/e.ts', `export const e = 1;\nexport interface G {}\nexport async function h() {}\nfunction hidden() {}`);
  });

  it('wants each export named in code, types and re-exports included', () => {
    write('packages/one/README.md', 'The B and the G.\n`a` `d(x)`\n```ts\ne(h, F);\n```');
    expect(checkReadmes(base)).toEqual({
      failures: ['packages/one/README.md does not name the export `B`', 'packages/one/README.md does not name the export `G`'],
      names: 7,
    });
  });

  it('wants a README', () => {
    expect(checkReadmes(base).failures).toEqual(['packages/one: no README.md']);
  });
});

describe('checkClauses', () => {
  const clause = (id) => `HF-${id}`;

  it('knows the clauses of the protocol, and counts those that a test names', () => {
    write(
      'PROTOCOL.md',
      `## ${clause(1)} Words\n- **${clause('1.1')}** One.\n- **${clause('1.10')}** Two, see ${clause('1.1')}.\n- **${clause('1.1')}** Again.`,
    );
    write('a.test.ts', `// ${clause('1.10')} and ${clause(1)}`);
    write('a.ts', `// ${clause('1.1')}, ${clause('1.2')}, ${clause(2)}`);
    expect(checkClauses(base)).toEqual({
      failures: [
        `PROTOCOL.md: ${clause('1.1')} is there twice`,
        `a.ts: ${clause('1.2')} is not in PROTOCOL.md`,
        `a.ts: ${clause(2)} is not in PROTOCOL.md`,
      ],
      clauses: 2,
      tested: 1,
    });
  });

  it('fails without a protocol', () => {
    expect(checkClauses(base).failures).toEqual(['PROTOCOL.md is missing']);
  });
});

describe('checkInvariants', () => {
  it('wants an existing test file for each', () => {
    write('src/a.test.ts', '');
    write(
      'ARCHITECTURE.md',
      '# I\n\nI-1 One holds: `src/a.test.ts`.\n- **I-2** Two\n  holds (`src/a.test.ts`).\n| I-3 | three | `src/no.test.ts` |\n- I-4 four: `src/a.ts`\n\nSee `src/a.test.ts`.\n- I-4 again `src/a.test.ts`\n',
    );
    expect(checkInvariants(base)).toEqual({
      failures: [
        'ARCHITECTURE.md: I-3 names src/no.test.ts, which does not exist',
        'ARCHITECTURE.md: I-4 names no test file',
        'ARCHITECTURE.md: I-4 is there twice',
      ],
      invariants: 4,
    });
  });

  it('fails without any', () => {
    write('ARCHITECTURE.md', '# Nothing');
    expect(checkInvariants(base).failures).toHaveLength(1);
  });
});
