/** Every target for a short while, and every input that was ever kept or found, on the sources; and that planted faults are found, by the built program. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { AlarmBell } from './alarm-bell.ts';
import { judge, runCampaign } from './campaign.ts';
import { FAULTS } from './faults.ts';
import { readCorpus, readFound, targetOf } from './kept-inputs.ts';
import { TARGETS, targetNamed } from './targets.ts';
import { watch } from './watch.ts';

const bell = new AlarmBell();
afterAll(() => bell.close());

/** So many that the slowest target takes two or three seconds. */
const COUNTS: Readonly<Record<string, number>> = {
  'binary-frames': 4_000,
  'text-frames': 1_500,
  'client-frames': 1_500,
  tokens: 1_500,
  http: 500,
  upgrade: 500,
};

describe.each(TARGETS)('$name', (target) => {
  test('a short run violates nothing', async () => {
    const inputCount = COUNTS[target.name]!;
    const outcome = await runCampaign({ target, seed: 7, inputCount, durationMs: 20_000, isGuided: false, corpus: [], bell });
    expect(outcome.failure).toBeUndefined();
    expect(outcome.inputCount).toBeGreaterThan(0);
  });

  test('nor do the inputs that once reached something new', async () => {
    const kept = readCorpus(target.name);
    expect(kept.length).toBeGreaterThan(0);
    expect(await judge(target, kept, bell)).toBeUndefined();
  });
});

describe('what was found', () => {
  test.each([...readFound(), { file: 'nothing-0.txt', target: 'binary-frames', inputs: [] }])('$file', async ({ target, inputs }) => {
    expect(await judge(targetNamed(target), inputs, bell)).toBeUndefined();
  });

  test('its file names the target', () => {
    expect(targetOf('fuzz/found/text-frames-07d521c9ff.txt')).toBe('text-frames');
    expect(targetOf('http-07d521c9ff.txt')).toBe('http');
  });
});

describe('planted faults', () => {
  const isBuilt = existsSync(fileURLToPath(new URL('../dist/worker.js', import.meta.url)));

  test.skipIf(!isBuilt).each(FAULTS)(
    '$name: $does',
    async (fault) => {
      const orders = {
        target: fault.target,
        mode: 'run',
        seed: 1,
        inputCount: 6_000,
        durationMs: 60_000,
        isGuided: true,
        lines: [],
        fault,
      } as const;
      const { failure } = await watch(orders, 2);
      expect(failure?.message).toMatch(fault.foundAs);
    },
    120_000,
  );
});
