/** `npm run bench -- power-loss` in short: decision 9 and what the store promises, when the power fails. */

import { describe, expect, test } from 'vitest';
import { failuresOf, testPowerLoss, type PowerLossRow } from './power-loss.ts';
import { canRecord, type SyncMode } from './recording.ts';

async function short(mode: SyncMode, cuts: number): Promise<PowerLossRow> {
  const [row] = await testPowerLoss({ modes: [mode], cuts, seed: 11, rounds: [25, 50, 75] });
  return row!;
}

describe.skipIf(!canRecord())('when the power fails (needs Linux and a C compiler)', () => {
  test('a store that syncs every commit loses nothing that it has acknowledged, wherever the cut falls', { timeout: 120_000 }, async () => {
    const row = await short('full', 60);
    expect(row.run.syncs).toBeGreaterThan(40);
    expect(row.cutsUnsynced).toBeGreaterThan(10);
    expect(row).toMatchObject({ cuts: 60, cutsFlawed: 0, lostMax: 0, example: undefined });
  });

  test('and the check is able to fail: "normal" loses acknowledged batches, and nothing worse', { timeout: 120_000 }, async () => {
    const row = await short('normal', 24);
    expect(row.cutsLost).toBeGreaterThan(2);
    expect(row).toMatchObject({ cutsDamaged: 0, cutsTorn: 0, cutsHoled: 0, cutsOther: 0 });
  });

  test('without any sync the file itself is damaged', { timeout: 120_000 }, async () => {
    const row = await short('off', 24);
    expect(row.run.syncs).toBe(0);
    expect([row.cutsLost > 2, row.cutsDamaged > 0]).toEqual([true, true]);
  });
});

test('the command fails where "full" loses, and where the others lose nothing', () => {
  const row: PowerLossRow = {
    mode: 'full',
    run: { batches: 1, writes: 1, syncs: 1 },
    cuts: 9,
    cutsUnsynced: 9,
    cutsLost: 0,
    lostMax: 0,
    cutsDamaged: 0,
    cutsTorn: 0,
    cutsHoled: 0,
    cutsOther: 0,
    cutsFlawed: 0,
    example: undefined,
  };
  expect(failuresOf([row, { ...row, mode: 'normal', cutsFlawed: 1 }, { ...row, mode: 'off', cutsFlawed: 1 }])).toEqual([]);
  expect(failuresOf([{ ...row, cutsFlawed: 2, example: 'this' }])).toEqual(['full: something was wrong after 2 cuts; the first: this']);
  expect(failuresOf([{ ...row, mode: 'off' }])).toEqual(['off: nothing was lost, so the test sees nothing']);
});
