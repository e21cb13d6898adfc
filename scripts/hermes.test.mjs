import { describe, expect, it } from 'vitest';
import { checkForHermes } from './hermes.mjs';

describe('checkForHermes', () => {
  it.each([
    ['async function* f() { yield 1; }', 'async generators are unsupported'],
    ['const r = /a/v;', 'Invalid flags'],
    ['(function () { return new TextDecoder(); })();', 'Hermes has no variable TextDecoder'],
    ['(function () { return new URL("ws://x"); })();', 'Hermes has no variable URL'],
    ['const n = [1].at(-1);', 'Hermes 0.12 has no .at'],
    ['const c = structuredClone({});', 'structuredClone'],
  ])('%s is refused', async (code, text) => {
    expect((await checkForHermes(code)).join()).toContain(text);
  });

  it('what it knows, and what is guarded, is fine', async () => {
    const code = `class A { #x = 1; get x() { return this.#x ?? new Promise(() => {}); } } async function f() { return globalThis.crypto?.x ?? new A(); }`;
    expect(await checkForHermes(code)).toEqual([]);
  });
});
