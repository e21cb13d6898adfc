import { expect, test } from 'vitest';
import { CALAMITY_NAMES } from './calamities.ts';
import { drawProfile } from './profile.ts';
import { Chance } from './random.ts';
import { argumentsOf, parseSelection, type Selection } from './selection.ts';

/** The kinds of the strikes of many seeds. */
function kindsOf(selection: Selection): Set<string> {
  const kinds = new Set<string>();
  for (let seed = 1; seed <= 120; seed++)
    for (const { kind } of drawProfile(new Chance(seed, 'profile'), selection, 300).strikes) kinds.add(kind);
  return kinds;
}

test('--only and --without choose among the calamities', () => {
  expect(kindsOf({}).size).toBe(CALAMITY_NAMES.length);
  expect([...kindsOf(parseSelection({ only: 'cut,slow-link' }))].sort()).toEqual(['cut', 'slow-link']);
  expect(kindsOf(parseSelection({ without: 'cut' })).has('cut')).toBe(false);
});

test('--set bounds a setting: a number, or a range', () => {
  const selection = parseSelection({ only: 'cut,slow-link', set: ['slow-link.bytesPerMs=1..2,cut.times=7', 'slow-link.lastsMs=50'] });
  const { strikes } = drawProfile(new Chance(1, 'profile'), selection, 300);
  expect(strikes.filter(({ kind }) => kind === 'cut')).toHaveLength(7);
  for (const { kind, settings, lastsMs } of strikes) {
    if (kind !== 'slow-link') continue;
    expect(lastsMs).toBe(50);
    expect(settings['bytesPerMs']).toBeGreaterThanOrEqual(1);
    expect(settings['bytesPerMs']).toBeLessThanOrEqual(2);
  }
});

test('everyMs strikes as often as the time of the run allows', () => {
  const profile = (everyMs: number): number =>
    drawProfile(new Chance(3, 'profile'), parseSelection({ only: 'cut', set: [`cut.everyMs=${everyMs}`] }), 300).strikes.length;
  expect(profile(100)).toBeGreaterThan(profile(1_000));
  expect(profile(1)).toBeGreaterThan(profile(100));
  expect(profile(0.001)).toBeLessThanOrEqual(1_000);
});

test('leaving strikes and devices out leaves the others as they were', () => {
  const all = drawProfile(new Chance(5, 'profile'), {}, 300);
  const some = drawProfile(new Chance(5, 'profile'), { strikes: [0, 2], devicesMax: 1 }, 300);
  expect(some.strikes).toEqual(all.strikes.filter(({ number }) => number === 0 || number === 2));
  expect({ ...some, strikes: [], deviceCount: 0, areTabs: false, keepCountMax: 0, producerSilenceMs: 0 }).toEqual({
    ...all,
    strikes: [],
    deviceCount: 0,
    areTabs: false,
    keepCountMax: 0,
    producerSilenceMs: 0,
  });
});

test('a selection as arguments is the same selection', () => {
  const texts = {
    only: 'cut,deploy',
    without: 'outage',
    set: ['cut.everyMs=2000,deploy.drainMs=1..5'],
    strikes: '1,3',
    devices: '2',
    rounds: '1',
  };
  expect(argumentsOf(parseSelection(texts))).toBe(
    ' --only cut,deploy --without outage --set cut.everyMs=2000,deploy.drainMs=1..5 --strikes 1,3 --devices 2 --rounds 1',
  );
  expect(argumentsOf({ strikes: [] })).toBe(' --strikes none');
  expect(parseSelection({ strikes: 'none' })).toEqual({ strikes: [] });
});

test('what cannot be understood is said', () => {
  expect(() => parseSelection({ only: 'rain' })).toThrow('no calamity "rain"; there are cut, ');
  expect(() => parseSelection({ set: ['cut.lastsMs=1'] })).toThrow('"cut" has no setting "lastsMs"');
  expect(() => parseSelection({ set: ['cut.times'] })).toThrow('want "calamity.setting=number"');
  expect(() => parseSelection({ set: ['cut.times=5..2'] })).toThrow('want a number, or a range');
  expect(() => parseSelection({ set: ['cut.share=2'] })).toThrow('a share is at most 1');
  expect(() => parseSelection({ devices: '0' })).toThrow('--devices: want a whole number from 1, got "0"');
});
