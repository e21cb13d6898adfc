/** What a person chose on the command line: which calamities, with what settings, and bounds that make a run smaller. */

import { CALAMITY_NAMES, settingOf, type Calamity } from './calamities.ts';

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** All of it is JSON, so that it can be handed to another process. Empty: nothing is chosen. */
export interface Selection {
  readonly only?: readonly Calamity[];
  readonly without?: readonly Calamity[];
  /** By calamity and setting: `cut.everyMs`. */
  readonly settings?: Readonly<Record<string, Bounds>>;
  /** Of the strikes that the seed draws, those with these numbers. */
  readonly strikes?: readonly number[];
  readonly devicesMax?: number;
  readonly topicsMax?: number;
  readonly roundsMax?: number;
  readonly consumersMax?: number;
}

/** The command's options, as texts. */
export interface SelectionTexts {
  readonly only?: string | undefined;
  readonly without?: string | undefined;
  readonly set?: readonly string[] | undefined;
  readonly strikes?: string | undefined;
  readonly devices?: string | undefined;
  readonly topics?: string | undefined;
  readonly rounds?: string | undefined;
  readonly consumers?: string | undefined;
}

/** Throws an `Error` that says what is wrong. */
export function parseSelection(texts: SelectionTexts): Selection {
  const { only, without, set = [], strikes, devices, topics, rounds, consumers } = texts;
  return {
    ...(only === undefined ? {} : { only: names(only) }),
    ...(without === undefined ? {} : { without: names(without) }),
    ...(set.length === 0 ? {} : { settings: Object.fromEntries(set.flatMap((text) => text.split(',')).map(parseSetting)) }),
    ...(strikes === undefined ? {} : { strikes: strikes === 'none' ? [] : strikes.split(',').map((text) => whole(text, 'strikes', 0)) }),
    ...(devices === undefined ? {} : { devicesMax: whole(devices, 'devices', 1) }),
    ...(topics === undefined ? {} : { topicsMax: whole(topics, 'topics', 1) }),
    ...(rounds === undefined ? {} : { roundsMax: whole(rounds, 'rounds', 1) }),
    ...(consumers === undefined ? {} : { consumersMax: whole(consumers, 'consumers', 0) }),
  };
}

/** The inverse: what to write on the command line. */
export function argumentsOf(selection: Selection): string {
  const { only, without, settings = {}, strikes, devicesMax, topicsMax, roundsMax, consumersMax } = selection;
  const texts = Object.entries(settings).map(([name, { min, max }]) => `${name}=${min === max ? min : `${min}..${max}`}`);
  const options: (readonly [string, string | number | undefined])[] = [
    ['only', only?.join(',')],
    ['without', without?.join(',')],
    ['set', texts.length === 0 ? undefined : texts.join(',')],
    ['strikes', strikes?.length === 0 ? 'none' : strikes?.join(',')],
    ['devices', devicesMax],
    ['topics', topicsMax],
    ['rounds', roundsMax],
    ['consumers', consumersMax],
  ];
  return options.flatMap(([name, value]) => (value === undefined ? [] : [` --${name} ${value}`])).join('');
}

/** A whole number of an option. Throws if it is none, or less than `min`. */
export function whole(text: string, name: string, min: number): number {
  const value = Number(text);
  if (text === '' || !Number.isSafeInteger(value) || value < min)
    throw new Error(`--${name}: want a whole number from ${min}, got "${text}"`);
  return value;
}

function names(text: string): Calamity[] {
  return text.split(',').map(calamityOf);
}

function calamityOf(name: string): Calamity {
  const found = CALAMITY_NAMES.find((known) => known === name);
  if (found === undefined) throw new Error(`no calamity "${name}"; there are ${CALAMITY_NAMES.join(', ')}`);
  return found;
}

function parseSetting(text: string): [string, Bounds] {
  const [, kind = '', name = '', value = ''] = /^([a-z-]+)\.(\w+)=(.+)$/.exec(text) ?? [];
  if (value === '') throw new Error(`--set: want "calamity.setting=number" or "=least..most", got "${text}"`);
  const setting = settingOf(calamityOf(kind), name);
  if (setting === undefined) throw new Error(`--set: "${kind}" has no setting "${name}"`);
  const [min, max = min] = value.split('..').map(Number);
  if (min === undefined || max === undefined || !(min >= 0) || !(max >= min) || !Number.isFinite(max))
    throw new Error(`--set: want a number, or a range such as 2..5, got "${value}"`);
  if (name === 'share' && max > 1) throw new Error(`--set: a share is at most 1, got "${value}"`);
  return [`${kind}.${name}`, { min, max }];
}
