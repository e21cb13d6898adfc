/** Chance that comes out the same in every run (Park and Miller's generator). */

import type { Random } from './clock.ts';

export function repeatableRandom(seed: number): Random {
  let state = (seed % 2_147_483_646) + 1;
  const next = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  next();
  return next;
}
