/**
 * A command's options as a table: each row says how its text is read and what the help says of it, so that the two cannot
 * drift apart. The splitting is `node:util`'s `parseArgs`.
 */

import { parseArgs } from 'node:util';
import { UsageError } from './failure.ts';
import { nearest } from './nearest.ts';
import { choice, count, duration, type ValueType } from './value-type.ts';

/** One option. Without a `placeholder` it is a flag, and takes no value. */
export interface Option<Value> {
  readonly placeholder?: string;
  readonly short?: string;
  /** For the help. */
  readonly text: string;
  /** Throws a message that follows the option's name, such as `wants true or false`. */
  parse(text: string): Value;
  /** Of an option that may be given several times. Without it the last counts. */
  merge?(before: Value, next: Value): Value;
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
export function countOption(placeholder: string, text: string, min: number, max?: number): Option<number> {
  return optionOf(placeholder, text, count(min, max));
}

export function choiceOption<Choice extends string>(choices: readonly Choice[], text: string): Option<Choice> {
  return optionOf(choices.join('|'), text, choice(...choices));
}

/** A duration in ms, written as `250ms`, `25s`, `10m`, `24h`, `30d`. */
export function durationOption(placeholder: string, text: string): Option<number> {
  return optionOf(placeholder, text, duration());
}

/** May be given several times; each gives an item. */
export function repeatedOption(placeholder: string, text: string): Option<readonly string[]> {
  return { placeholder, text, parse: (value) => [value], merge: (before, next) => [...before, ...next] };
}

/** A value of any type. */
export function optionOf<Value>(placeholder: string, text: string, type: ValueType<Value>): Option<Value> {
  return { placeholder, text, parse: (value) => type.parse(value, { folder: '.' }) };
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
    const value = valueOf(option, token);
    values[token.name] = option.merge === undefined || values[token.name] === undefined ? value : option.merge(values[token.name], value);
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
    throw new UsageError(`${rawName} ${(error as Error).message}, not "${value}"`, { cause: error });
  }
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
