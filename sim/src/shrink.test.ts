import { expect, test } from 'vitest';
import type { Run, Runner } from './runner.ts';
import { shrink } from './shrink.ts';
import type { Outcome } from './simulation.ts';

/** A world in which a run fails for as long as it has 20 steps, two devices and the strikes 3 and 7. */
function runner(ran: Run[]): Runner {
  const outcomeOf = ({ seed, steps, selection }: Run): Outcome => {
    const strikes = selection.strikes ?? [0, 1, 2, 3, 4, 5, 6, 7, 8];
    const deviceCount = Math.min(5, selection.devicesMax ?? 5);
    const fails = seed === 1 && steps >= 20 && deviceCount >= 2 && [3, 7].every((strike) => strikes.includes(strike));
    const violation = { property: fails ? 'nothing-twice' : 'all-settled', detail: '', atMs: 0 } as const;
    const size = {
      strikes,
      deviceCount,
      topicCount: Math.min(3, selection.topicsMax ?? 3),
      roundCount: Math.min(4, selection.roundsMax ?? 4),
    };
    return { seed, violation, ...size, eventCount: 0, lastedMs: 0, digest: '' };
  };
  const run = async (one: Run): Promise<{ outcome: Outcome; counts: [] }> => {
    ran.push(one);
    return { outcome: outcomeOf(one), counts: [] };
  };
  return { run, close: () => {} };
}

const FIRST: Run = { seed: 1, steps: 300, selection: { without: ['cut'] } };

test('finds the smallest run that violates the same property', async () => {
  const ran: Run[] = [];
  const one = runner(ran);
  const { outcome } = await one.run(FIRST);
  const { run, runCount } = await shrink({ run: FIRST, outcome }, { runner: one, runsMax: 400, isOver: () => false });
  expect(run.steps).toBe(20);
  expect(run.selection).toMatchObject({ without: ['cut'], strikes: [3, 7], topicsMax: 1, roundsMax: 1, devicesMax: 2 });
  expect(runCount).toBe(ran.length - 1);
});

test('is bounded by runs and by time', async () => {
  const ran: Run[] = [];
  const one = runner(ran);
  const failure = { run: FIRST, outcome: (await one.run(FIRST)).outcome };
  expect((await shrink(failure, { runner: one, runsMax: 5, isOver: () => false })).runCount).toBe(5);
  expect(await shrink(failure, { runner: one, runsMax: 5, isOver: () => true })).toMatchObject({ runCount: 0, run: FIRST });
});
