import { expect, test } from 'vitest';
import { Chance } from './chance.ts';
import { lineOf, STEPS_MAX, textStep } from './input.ts';
import { mutate } from './mutation.ts';

test('the same seed makes the same inputs, another seed others', () => {
  const made = (seed: number): string[] => {
    const chance = new Chance(seed, 'test');
    const base = [textStep(1, '{"type":"ping","id":1}'), textStep(2, 'b')];
    return Array.from({ length: 200 }, () => lineOf(mutate(base, base, () => textStep(9, 'new'), chance)));
  };
  expect(made(1)).toEqual(made(1));
  expect(made(1)).not.toEqual(made(2));
  // Mostly different ones.
  expect(new Set(made(3)).size).toBeGreaterThan(120);
});

test('however often it is mutated, an input stays within its bounds', () => {
  const chance = new Chance(5);
  let input = [textStep(1, '{"a":[1,2,3]}')] as ReturnType<typeof mutate>;
  for (let round = 0; round < 3_000; round++) {
    input = mutate(input, input, () => textStep(2, 'x'.repeat(40)), chance);
    expect(input.length).toBeLessThanOrEqual(STEPS_MAX);
    for (const { op, bytes } of input) expect(op < 256 && bytes.length <= 65_536).toBe(true);
  }
});
