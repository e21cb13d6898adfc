import { describe, expect, test } from 'vitest';
import { instrument } from './instrument.ts';

/** What a module's function gives once it is instrumented, and which of its blocks ran. */
async function run(source: string, ...args: readonly unknown[]): Promise<{ readonly result: unknown; readonly hit: readonly number[] }> {
  const name = `m${Math.random()}`;
  let counters = new Uint8Array();
  const asked = (_name: string, count: number): Uint8Array => (counters = new Uint8Array(count));
  (globalThis as { holdfastBlocks?: unknown }).holdfastBlocks = asked;
  const { code } = instrument(name, `export const run = ${source};`);
  const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { run: (...given: readonly unknown[]) => unknown };
  return { result: module.run(...args), hit: [...counters] };
}

describe('counters in a module', () => {
  test.each([
    ['(a) => a ? 1 : 2', [true], 1, [1, 1, 0]],
    ['(a) => { if (a) return 1; else return 2; }', [false], 2, [1, 0, 1]],
    ['(a) => a ?? ((b) => b)(3)', [undefined], 3, [1, 1, 1]],
    ['(a = 5) => a', [], 5, [1, 1]],
    ['(a) => { let n = 0; for (const i of a) n += i; while (n > 9) n -= 10; return n; }', [[4, 5]], 9, [1, 1, 0]],
    ['(a) => { switch (a) { case 1: case 2: return "x"; default: return "y"; } }', [1], 'x', [1, 1, 0]],
    ['(a) => { try { throw a; } catch { return "caught"; } }', [1], 'caught', [1, 1]],
    ['(a) => ({ b: a || (a ||= 7) })', [0], { b: 7 }, [1, 1, 1]],
    ['(a) => class { static value = a && (a ? "c" : "d") }.value', [1], 'c', [1, 1, 1, 0]],
  ])('%s', async (source, args, result, hit) => {
    expect(await run(source, ...args)).toEqual({ result, hit });
  });

  test('no line moves', () => {
    const source = 'const a = 1;\nfunction f() {\n  return a;\n}\n';
    const { code } = instrument('m', source);
    expect(code.split('\n').length).toBe(source.split('\n').length);
    expect(code.split('\n')[2]).toBe('  return a;');
  });
});
