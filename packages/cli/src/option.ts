/**
 * A command's options as a table: each row says how its text is read and what the help says of it, so that the two cannot
 * drift apart. The splitting is `node:util`'s `parseArgs`.
 */

import { parseArgs } from 'node:util';
import { UsageError } from './failure.ts';

/** One option. Without a `placeholder` it is a flag, and takes no value. */
export interface Option<Value> {
  readonly placeholder?: string;
  readonly short?: string;
  /** For the help. */
  readonly text: string;
  /** Throws a plain message of what it wants instead. */
  parse(text: string): Value;
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** What was given; `undefined` where an option was not. Of one given twice the last counts. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer Value> ? Value | undefined : never;
};

export function flag(text: string, short?: string): Option<boolean> {
  return { text, ...(short === undefined ? {} : { short }), parse: () => true };
}

export function textOption(placeholder: string, text: string): Option<string> {
  return { placeholder, text, parse: (value) => value };
}

/** A whole number within bounds, both included. */
export function countOption(placeholder: string, text: string, min: number, max: number = Number.MAX_SAFE_INTEGER): Option<number> {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`;
  return {
    placeholder,
    text,
    parse: (value) => {
      const number = Number(value);
      if (!/^\d+$/.test(value) || number < min || number > max) throw new Error(`a whole number ${bounds}`);
      return number;
    },
  };
}

export function choiceOption<Choice extends string>(choices: readonly Choice[], text: string): Option<Choice> {
  return {
    placeholder: choices.join('|'),
    text,
    parse: (value) => {
      const choice = choices.find((one) => one === value);
      if (choice === undefined) throw new Error(choices.join(' or '));
      return choice;
    },
  };
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration in ms, written as `250ms`, `25s`, `10m`, `24h`, `30d`. */
export function durationOption(placeholder: string, text: string): Option<number> {
  return {
    placeholder,
    text,
    parse: (value) => {
      const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value);
      if (match === null) throw new Error('a duration such as 250ms, 25s, 10m, 24h or 30d');
      return Math.round(Number(match[1]) * UNITS_MS[match[2]!]!);
    },
  };
}

const UNITS_BYTES: Readonly<Record<string, number>> = { '': 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 };

/** A size in bytes, at least `min`, written as `65536`, `64kb`, `10mb`, `1gb` (1,024 each). */
export function bytesOption(placeholder: string, text: string, min = 0): Option<number> {
  return {
    placeholder,
    text,
    parse: (value) => {
      const match = /^(\d+)(kb|mb|gb|)$/i.exec(value);
      if (match === null) throw new Error('a size such as 65536, 64kb, 10mb or 1gb');
      const bytes = Number(match[1]) * UNITS_BYTES[match[2]!.toLowerCase()]!;
      if (bytes < min) throw new Error(`at least ${min} bytes`);
      return bytes;
    },
  };
}

/** Splits a command line. Throws a `UsageError` for an unknown option, a missing value, a value that cannot be read. */
export function parseOptions<Table extends OptionTable>(
  args: readonly string[],
  table: Table,
): { readonly values: OptionValues<Table>; readonly operands: readonly string[] } {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { placeholder, short }]) => [
      name,
      { type: placeholder === undefined ? ('boolean' as const) : ('string' as const), ...(short === undefined ? {} : { short }) },
    ]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const values: Record<string, unknown> = {};
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
    if (option === undefined) throw new UsageError(`there is no option ${token.rawName}${nearest(token.name, Object.keys(table))}`);
    values[token.name] = valueOf(option, token);
  }
  return { values: values as OptionValues<Table>, operands };
}

function valueOf(
  option: Option<unknown>,
  { rawName, value, inlineValue }: { rawName: string; value: string | undefined; inlineValue: boolean | undefined },
): unknown {
  if (option.placeholder === undefined) {
    if (inlineValue === true) throw new UsageError(`${rawName} takes no value`);
    return option.parse('');
  }
  // `--port --host x`: the next option is not the value of this one.
  if (value === undefined || (inlineValue !== true && /^-./.test(value)))
    throw new UsageError(`${rawName} needs a value: ${rawName} ${option.placeholder}`);
  try {
    return option.parse(value);
  } catch (error) {
    throw new UsageError(`${rawName} wants ${(error as Error).message}, not "${value}"`, { cause: error });
  }
}

/** What may have been meant by a misspelt name, as the end of a sentence; nothing where no name is near. */
export function nearest(name: string, names: readonly string[], prefix = '--'): string {
  const [best] = names.map((other) => ({ other, distance: editDistance(name, other) })).sort((a, b) => a.distance - b.distance);
  return best === undefined || best.distance > Math.min(3, Math.ceil(name.length / 2)) ? '' : `; did you mean ${prefix}${best.other}?`;
}

/** Levenshtein's: insertions, deletions and replacements. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 1; at <= one.length; at++) {
    const next = [at];
    for (let to = 1; to <= other.length; to++) {
      const replaced = row[to - 1]! + (one[at - 1] === other[to - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[to]! + 1, next[to - 1]! + 1));
    }
    row = next;
  }
  return row[other.length]!;
}

/** The lines of the help, names and texts in two columns. */
export function describeOptions(table: OptionTable): string {
  const rows = Object.entries(table).map(([name, { placeholder, short, text }]) => {
    const names = short === undefined ? `--${name}` : `-${short}, --${name}`;
    return { left: placeholder === undefined ? names : `${names} ${placeholder}`, text };
  });
  const width = Math.max(...rows.map(({ left }) => left.length));
  return rows.map(({ left, text }) => `  ${left.padEnd(width)}  ${text.replaceAll('\n', `\n${' '.repeat(width + 4)}`)}`).join('\n');
}
