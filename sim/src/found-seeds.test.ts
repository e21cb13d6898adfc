import { describe, expect, test } from 'vitest';
import { FOUND_SEEDS } from './found-seeds.ts';
import { runHere } from './runner.ts';

describe('seeds that once found something', () => {
  test.for(FOUND_SEEDS.map((found) => [found.seed, found] as const))('%i violates nothing now', { timeout: 60_000 }, async ([, run]) => {
    const { outcome } = await runHere(run);
    expect(outcome.violation).toBeUndefined();
    expect(outcome.eventCount).toBeGreaterThan(50);
  });
});
