import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLayers, importsOf } from './layers.mjs';

const LAYERS = { 'packages/low': { packages: [], modules: [] }, 'packages/high': { packages: ['packages/low'] } };

let base;
const write = (file, text) => {
  mkdirSync(dirname(join(base, file)), { recursive: true });
  writeFileSync(join(base, file), text);
};

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-layers-'));
  write('package.json', '{"workspaces":["packages/*"]}');
  write('packages/low/package.json', '{"name":"@x/low","exports":{".":"./index.js","./part":"./part.js"}}');
  write('packages/high/package.json', '{"name":"@x/high","exports":{".":"./index.js"}}');
});
afterEach(() => rmSync(base, { recursive: true }));

describe('importsOf', () => {
  it('sees every form of import, over several lines too, and no import in a comment', () => {
    const text = `import a from './a.ts';
import type { B } from "./b.ts";
import {
  c,
  d,
} from './c.ts';
export * from './e.ts';
export { f } from './f.ts';
import './g.ts';
/**
 * import { x } from './not.ts';
 */
const h = await import('./h.ts');
export const from = 'from', other = './not.ts';
`;
    const imports = importsOf(text);
    expect(imports.filter(({ isType }) => isType).map(({ name }) => name)).toEqual(['./b.ts']);
    expect(imports.map(({ name }) => name)).toEqual(['./a.ts', './b.ts', './c.ts', './e.ts', './f.ts', './g.ts', './h.ts']);
  });
});

describe('checkLayers', () => {
  it('lets through what the layers allow', () => {
    write('packages/low/src/index.ts', `export * from './one.ts';`);
    write('packages/low/src/one.ts', `import '#part';\nexport const one = 1;`);
    write('packages/low/src/one.test.ts', `import { it } from 'vitest';`);
    write('packages/high/src/index.ts', `import { one } from '@x/low';\nimport '@x/low/part';\nimport 'node:fs';`);
    expect(checkLayers(base, LAYERS)).toEqual({ failures: [], imports: 6 });
  });

  it.each([
    ['an arrow upwards', 'packages/low/src/a.ts', `import '@x/high';`, /arrow from packages\/low to packages\/high/],
    ['an arrow upwards from a test', 'packages/low/src/a.test.ts', `import '@x/high';`, /arrow from/],
    ['a module from outside', 'packages/low/src/a.ts', `import 'node:fs';`, /not among the modules/],
    ['a deep import', 'packages/high/src/a.ts', `import '@x/low/src/index.ts';`, /not an entry point/],
    ['a relative import that leaves its package', 'packages/high/src/a.ts', `import '../../low/src/index.ts';`, /leaves packages\/high/],
    ['a file that imports itself', 'packages/high/src/a.ts', `import './a.ts';`, /cycle/],
    ['a package without a rule', 'packages/new/package.json', `{"name":"@x/new"}`, /layers.json does not name it/],
  ])('refuses %s', (_, file, text, reason) => {
    write(file, text);
    const { failures } = checkLayers(base, LAYERS);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatch(reason);
  });

  it('lets two files know one another by types alone', () => {
    write('packages/high/src/a.ts', `import './b.ts';`);
    write('packages/high/src/b.ts', `import type { A } from './a.ts';`);
    expect(checkLayers(base, LAYERS).failures).toEqual([]);
  });

  it('names the files of a cycle in their order', () => {
    write('packages/high/src/a.ts', `import './b.ts';`);
    write('packages/high/src/b.ts', `import { type C } from './c.ts';`);
    write('packages/high/src/c.ts', `import './b.ts';`);
    expect(checkLayers(base, LAYERS).failures).toEqual([
      'cycle: packages/high/src/b.ts -> packages/high/src/c.ts -> packages/high/src/b.ts',
    ]);
  });
});
