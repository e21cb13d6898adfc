import { describe, expect, test } from 'vitest';
import { CALAMITY_NAMES } from './calamities.ts';
import { runBuild } from './plant.ts';
import { forbidRealWorld } from './real-world.ts';
import type { SeedsOptions } from './seeds.ts';
import { simulate } from './simulation.ts';
import { Tally } from './tally.ts';

const STEPS = 300;

/** Runs seeds one after the other; returns what was violated, and the digests of the traces. */
async function run(
  firstSeed: number,
  seedCount: number,
  tally: Tally = new Tally(),
): Promise<{ violations: unknown[]; digests: string[] }> {
  const outcomes = [];
  for (let seed = firstSeed; seed < firstSeed + seedCount; seed++) outcomes.push(await simulate({ seed, steps: STEPS, tally }));
  return {
    violations: outcomes.flatMap(({ seed, violation }) => (violation === undefined ? [] : [{ seed, ...violation }])),
    digests: outcomes.map(({ digest }) => digest),
  };
}

describe('the simulation', () => {
  test('thirty seeds violate nothing, and meet every trouble', { timeout: 240_000 }, async () => {
    const tally = new Tally();
    expect((await run(1, 30, tally)).violations).toEqual([]);
    const seldom = new Set<string>(['disk-wiped', 'topic-deleted', 'restored-from-backup', 'cloned-store', 'membership-revoked']);
    const often = CALAMITY_NAMES.filter((kind) => !seldom.has(kind));
    const met = [
      'acknowledged as duplicate',
      'refused HEAD_MISMATCH',
      'refused EXPIRED',
      'seen gap retention',
      'seen register',
      'heard signal',
      'read page',
      'answered call',
      'fold built anew',
      'refused ABORTED',
      'refused PENDING',
    ];
    expect([...often, ...met].filter((what) => tally.of(what) === 0)).toEqual([]);
    expect(tally.of('acknowledged')).toBeGreaterThan(1_000);
  });

  test('the same seed gives the same trace, another seed another', { timeout: 120_000 }, async () => {
    const first = await run(100, 4);
    const second = await run(100, 4);
    expect(second.digests).toEqual(first.digests);
    expect(new Set(first.digests).size).toBe(4);
  });

  test('and in another process too, where the real clock and chance are out of reach', { timeout: 120_000 }, async () => {
    const { digests } = await run(100, 1);
    const lines: string[] = [];
    const options: SeedsOptions = {
      firstSeed: 100,
      seedCount: 1,
      steps: STEPS,
      selection: {},
      isTraced: false,
      isExhaustive: false,
      shrinkRunsMax: 0,
      shrinkMs: 0,
      fault: undefined,
    };
    expect(await runBuild(undefined, options, (line) => lines.push(line))).toBe(0);
    expect(lines[0]).toMatch(new RegExp(`^seed 100: \\d+ events in [\\d.]+ simulated seconds, trace ${digests[0]}$`));
    expect(lines.at(-1)).toMatch(/^1 seeds, 0 violations, \d+ events, [\d.]+ s$/);
  });
});

describe('the real world', () => {
  test('who reaches for it is stopped and told on', () => {
    const realWorld = forbidRealWorld();
    const reach = (): unknown => Date.now();
    let restore: unknown;
    try {
      expect(reach).toThrow('a simulation called the real now');
    } finally {
      try {
        realWorld.restore();
      } catch (error) {
        restore = error;
      }
    }
    expect(restore).toEqual(new Error('a simulation called the real now'));
    expect(reach()).toBeGreaterThan(0);
  });
});
