/**
 * The kinds of values that options and settings have: how each is read from text (a flag, an environment variable) and from
 * JSON (a file), how it is written, and its JSON Schema. A value that cannot be read costs a `WantedError`, which says what
 * is wanted and never repeats what came: that may be a secret.
 */

import { resolve } from 'node:path';
import { isJsonObject, type Json } from '@holdfast/wire';
import { nearest } from './nearest.ts';

/** `message` follows the name of the value, such as `wants true or false`; `place` is where in it, such as `[0].pattern`. */
export class WantedError extends Error {
  readonly place: string;

  constructor(message: string, place = '') {
    super(message);
    this.place = place;
  }
}

export interface Reading {
  /** Paths are relative to it. */
  readonly folder: string;
}

export interface ValueType<Value> {
  /** In one or two words, for documents. */
  readonly name: string;
  /** What bounds it, for documents; such as `from 1`. */
  readonly bounds?: string;
  /** JSON Schema of what a file has. */
  readonly schema: { readonly [key: string]: Json };
  /** Throws a `WantedError`. */
  parse(text: string, reading: Reading): Value;
  /** Throws a `WantedError`. */
  read(json: Json, reading: Reading): Value;
  /** As one would write it in a file; secrets as `***`. */
  show(value: Value): Json;
  /** It is never shown. */
  readonly isSecret?: true;
}

/** What stands for a secret wherever it would be shown. */
const HIDDEN = '***';

const here: Reading = { folder: '.' };

function fail(wanted: string): never {
  throw new WantedError(`wants ${wanted}`);
}

/** Text of at least one character; `pattern` and what it `wants` bound it further. */
export function text(pattern?: RegExp, wants = 'text'): ValueType<string> {
  const check = (value: string): string => (value !== '' && (pattern === undefined || pattern.test(value)) ? value : fail(wants));
  return {
    name: 'text',
    schema: { type: 'string', ...(pattern === undefined ? { minLength: 1 } : { pattern: pattern.source }) },
    parse: check,
    read: (json) => (typeof json === 'string' ? check(json) : fail(wants)),
    show: (value) => value,
  };
}

/** A file or folder; in a file of settings relative to that file, otherwise to the working directory. */
export function path(): ValueType<string> {
  const check = (value: string, { folder }: Reading): string =>
    value === '' ? fail('a path') : folder === '.' ? value : resolve(folder, value);
  return {
    name: 'path',
    schema: { type: 'string', minLength: 1 },
    parse: (value) => check(value, here),
    read: (json, reading) => (typeof json === 'string' ? check(json, reading) : fail('a path')),
    show: (value) => value,
  };
}

export function secret(): ValueType<string> {
  return { ...text(undefined, 'text that is not empty'), name: 'secret', show: () => HIDDEN, isSecret: true };
}

export function boolean(): ValueType<boolean> {
  return {
    name: 'true or false',
    schema: { type: 'boolean' },
    parse: (value) => (value === 'true' ? true : value === 'false' ? false : fail('true or false')),
    read: (json) => (typeof json === 'boolean' ? json : fail('true or false')),
    show: (value) => value,
  };
}

/** A whole number within bounds, both included. With `none`, that word stands for no bound at all. */
export function count(
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
  { none = false }: { readonly none?: boolean } = {},
): ValueType<number> {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`;
  const wants = `a whole number ${bounds}${none ? ', or "none"' : ''}`;
  const check = (value: number): number => (Number.isSafeInteger(value) && value >= min && value <= max ? value : fail(wants));
  const number = { type: 'integer', minimum: min, ...(max === Number.MAX_SAFE_INTEGER ? {} : { maximum: max }) };
  return {
    name: 'number',
    bounds: min === 0 && max === Number.MAX_SAFE_INTEGER ? '' : bounds,
    schema: none ? { anyOf: [number, { const: 'none' }] } : number,
    parse: (value) => (none && value === 'none' ? Infinity : /^\d+$/.test(value) ? check(Number(value)) : fail(wants)),
    read: (json) => (none && json === 'none' ? Infinity : typeof json === 'number' ? check(json) : fail(wants)),
    show: (value) => (value === Infinity ? 'none' : value),
  };
}

export function choice<Choice extends string>(...choices: readonly Choice[]): ValueType<Choice> {
  const check = (value: unknown): Choice => choices.find((one) => one === value) ?? fail(choices.join(' or '));
  return { name: choices.join(', '), schema: { enum: choices }, parse: check, read: check, show: (value) => value };
}

interface Scale {
  readonly name: string;
  readonly pattern: RegExp;
  readonly units: Readonly<Record<string, number>>;
  readonly wants: string;
}

const TIME: Scale = {
  name: 'time',
  pattern: /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/,
  units: { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 },
  wants: 'a duration such as 250ms, 25s, 10m, 24h or 30d',
};
const SIZE: Scale = {
  name: 'size',
  pattern: /^(\d+)(kb|mb|gb|)$/i,
  units: { '': 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 },
  wants: 'a size such as 65536, 64kb, 10mb or 1gb',
};

export interface ScaledBounds {
  readonly min?: number;
  readonly max?: number;
  /** The word `none` stands for no bound at all. */
  readonly none?: boolean;
  /** A bare number is taken too, since the setting's name has its unit. */
  readonly bare?: boolean;
}

/** A duration in ms, written as `250ms`, `25s`, `10m`, `24h`, `30d`. */
export function duration(bounds: ScaledBounds = {}): ValueType<number> {
  return scaled(TIME, bounds);
}

/** A size in bytes, written as `65536`, `64kb`, `10mb`, `1gb` (1,024 each). */
export function size(bounds: ScaledBounds = {}): ValueType<number> {
  return scaled(SIZE, { ...bounds, bare: true });
}

function scaled(scale: Scale, { min = 0, max = Number.MAX_SAFE_INTEGER, none = false, bare = false }: ScaledBounds): ValueType<number> {
  const { name, pattern, units, wants } = scale;
  const check = (value: number): number => {
    if (value < min) fail(`at least ${unscaled(min, units)}`);
    return value > max ? fail(`at most ${unscaled(max, units)}`) : value;
  };
  const parse = (value: string): number => {
    if (none && value === 'none') return Infinity;
    if (bare && /^\d+$/.test(value)) return check(Number(value));
    const [, number, unit] = pattern.exec(value) ?? fail(wants);
    return check(Math.round(Number(number) * units[unit!.toLowerCase()]!));
  };
  const lower = min === 0 ? '' : `from ${unscaled(min, units)}`;
  const upper = max === Number.MAX_SAFE_INTEGER ? '' : `up to ${unscaled(max, units)}`;
  return {
    name,
    bounds: [lower, upper].filter((one) => one !== '').join(' '),
    schema: { type: bare ? ['string', 'integer'] : 'string', pattern: none ? `^none$|${pattern.source}` : pattern.source },
    parse,
    read: (json) => {
      if (typeof json === 'string') return parse(json);
      return bare && typeof json === 'number' && Number.isSafeInteger(json) ? check(json) : fail(wants);
    },
    show: (value) => (value === Infinity ? 'none' : unscaled(value, units)),
  };
}

/** In the largest unit of which it is a whole number. */
function unscaled(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, factor] = Object.entries(units).findLast(([, one]) => value % one === 0 && value >= one) ?? Object.entries(units)[0]!;
  return `${value / factor}${unit === '' ? ' bytes' : unit}`;
}

/** In text, items stand between commas; in a file one item may stand alone. */
export function list<Item>(item: ValueType<Item>): ValueType<readonly Item[]> {
  return {
    name: `list of ${item.name}`,
    schema: { anyOf: [item.schema, { type: 'array', items: item.schema }] },
    parse: (value, reading) =>
      value
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== '')
        .map((one) => item.parse(one, reading)),
    read: (json, reading) => {
      if (typeof json === 'string') return [item.read(json, reading)];
      if (!Array.isArray(json)) fail('a list: [...]');
      return (json as readonly Json[]).map((one, at) => within(`[${at}]`, () => item.read(one, reading)));
    },
    show: (items) => items.map((one) => item.show(one)),
  };
}

/** One field of a record. */
export interface Field<Value> {
  readonly type: ValueType<Value>;
  readonly isRequired?: true;
  readonly meaning: string;
}

export type Fields<Value> = { readonly [Name in keyof Value]-?: Field<Exclude<Value[Name], undefined>> };

/** An object with these fields alone. In text it is JSON. */
export function record<Value extends object>(fields: Fields<Value>): ValueType<Value> {
  const entries = Object.entries(fields) as unknown as readonly (readonly [string, Field<unknown>])[];
  const required = entries.filter(([, { isRequired }]) => isRequired === true).map(([name]) => name);
  return structured({
    name: 'object',
    schema: {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(entries.map(([name, { type, meaning }]) => [name, { description: meaning, ...type.schema }])),
      ...(required.length === 0 ? {} : { required }),
    },
    read: (json, reading) => {
      if (!isJsonObject(json)) fail('an object: {...}');
      for (const name of Object.keys(json))
        if (!Object.hasOwn(fields, name))
          throw new WantedError(`is not a field that there is${nearest(name, Object.keys(fields), '')}`, `.${name}`);
      for (const name of required) if (!Object.hasOwn(json, name)) fail(`a field "${name}"`);
      const given = entries.filter(([name]) => Object.hasOwn(json, name));
      return Object.fromEntries(
        given.map(([name, { type }]) => [name, within(`.${name}`, () => type.read(json[name]!, reading))]),
      ) as Value;
    },
    show: (value) => {
      const shown = entries.filter(([name]) => (value as Record<string, unknown>)[name] !== undefined);
      return Object.fromEntries(shown.map(([name, { type }]) => [name, type.show((value as Record<string, unknown>)[name])]));
    },
  });
}

/** An object whose keys are the user's own. In text it is JSON. */
export function mapOf<Value>(item: ValueType<Value>): ValueType<Readonly<Record<string, Value>>> {
  return structured({
    name: 'object',
    schema: { type: 'object', additionalProperties: item.schema },
    read: (json, reading) => {
      if (!isJsonObject(json)) fail('an object: {...}');
      return Object.fromEntries(Object.entries(json).map(([key, one]) => [key, within(`.${key}`, () => item.read(one, reading))]));
    },
    show: (value) => Object.fromEntries(Object.entries(value).map(([key, one]) => [key, item.show(one)])),
  });
}

/** A list of what has fields. In text it is JSON. */
export function listOfRecords<Item>(item: ValueType<Item>): ValueType<readonly Item[]> {
  return structured({ ...list(item), name: 'list of objects', schema: { type: 'array', items: item.schema } });
}

/** Any JSON object; whoever uses it examines it. */
export function json<Value extends object>(schema: { readonly [key: string]: Json }): ValueType<Value> {
  return structured({
    name: 'object',
    schema,
    read: (value) => (isJsonObject(value) ? (value as unknown as Value) : fail('an object: {...}')),
    show: (value) => value as unknown as Json,
  });
}

function structured<Value>(type: Omit<ValueType<Value>, 'parse'>): ValueType<Value> {
  return {
    ...type,
    parse: (value, reading) => {
      let parsed: Json;
      try {
        parsed = JSON.parse(value) as Json;
      } catch {
        return fail('JSON');
      }
      return type.read(parsed, reading);
    },
  };
}

function within<Value>(place: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof WantedError) throw new WantedError(error.message, place + error.place);
    throw error;
  }
}
