import { describe, expect, test } from 'vitest';
import { Chance } from './random.ts';

const draws = (chance: Chance, count: number): number[] => Array.from({ length: count }, () => chance.next());

describe('chance', () => {
  test('one seed draws the same for ever: these are on record', () => {
    expect(draws(new Chance(1), 4).map((draw) => Math.floor(draw * 2 ** 32))).toMatchInlineSnapshot(`
      [
        3467447118,
        276858728,
        1170688855,
        3454009252,
      ]
    `);
  });

  test('seeds and names make different streams', () => {
    const streams = [new Chance(1), new Chance(2), new Chance(1).fork('a'), new Chance(1).fork('b')].map((chance) =>
      draws(chance, 8).join(),
    );
    expect(new Set(streams).size).toBe(4);
  });

  test('a fork is the same whatever was drawn before it', () => {
    const chance = new Chance(7);
    const before = draws(chance.fork('x'), 8);
    draws(chance, 100);
    expect(draws(chance.fork('x'), 8)).toEqual(before);
  });

  test('draws are spread evenly', () => {
    const chance = new Chance(3);
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let n = 0; n < 100_000; n++) tenths[chance.integer(0, 9)]! += 1;
    // Ten thousand each; six standard deviations of a fair draw are 570.
    for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(570);
  });

  test('waits have their mean and their bound, logarithms their ends', () => {
    const chance = new Chance(4);
    const waits = Array.from({ length: 50_000 }, () => chance.exponential(10));
    expect(waits.reduce((sum, wait) => sum + wait, 0) / waits.length).toBeCloseTo(10, 0);
    expect(Math.max(...waits)).toBeLessThanOrEqual(100);
    const sizes = Array.from({ length: 1_000 }, () => chance.logarithmic(1, 100));
    expect(sizes.every((size) => size >= 1 && size <= 100)).toBe(true);
    expect(sizes.filter((size) => size < 10).length).toBeGreaterThan(400);
  });
});
