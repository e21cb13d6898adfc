/**
 * A small table language for the fields of a message, so that every check names its field (PROTOCOL.md HF-4.1). The same
 * tables are described as JSON Schema by `schema.ts`, which knows the fields below by their `test`.
 */

import { HoldfastError } from './error.ts';
import { isJsonObject, type Json } from './json.ts';
import { isName, isRegisterKey, isTopicName } from './names.ts';

/** One field: what it must satisfy, and how to say so. */
export interface Field {
  readonly want: string;
  readonly optional: boolean;
  readonly test: (value: unknown) => boolean;
  /** The values, where it is one of a list. */
  readonly names?: readonly string[];
  /** For an object, or for each item of a list: its own fields. */
  readonly shape?: Shape;
}

/** The fields of one message. */
export type Shape = Readonly<Record<string, Field>>;

const INTEGER_MAX = Number.MAX_SAFE_INTEGER;

function field(want: string, test: (value: unknown) => boolean): Field {
  return { want, test, optional: false };
}

function isInteger(value: unknown, min: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= INTEGER_MAX;
}

/** HF-1.4. */
function isRequestId(value: unknown): value is string | number {
  return (
    (typeof value === 'string' && value.length >= 1 && value.length <= 64) || (typeof value === 'number' && Number.isSafeInteger(value))
  );
}

export const topicField: Field = field('a topic name (HF-1.1)', isTopicName);
export const nameField: Field = field('1 to 64 characters of A-Z a-z 0-9 _ . ~ - (HF-1.2)', isName);
export const keyField: Field = field('a register key (HF-7.7)', isRegisterKey);
export const idField: Field = field('a string of 1 to 64 characters or an integer (HF-1.4)', isRequestId);
export const countField: Field = field('an integer from 0', (value) => isInteger(value, 0));
export const seqField: Field = field('an integer from 1', (value) => isInteger(value, 1));
export const textField: Field = field('a string', (value) => typeof value === 'string');
export const booleanField: Field = field('true or false', (value) => typeof value === 'boolean');
export const jsonField: Field = field('a JSON value', (value) => value !== undefined);

export function oneOf(...names: string[]): Field {
  const want = `one of ${names.map((name) => `"${name}"`).join(', ')}`;
  return { ...field(want, (value) => typeof value === 'string' && names.includes(value)), names };
}

export function optional(required: Field): Field {
  return { ...required, optional: true };
}

/** A field that is itself an object of a shape. */
export function nested(shape: Shape): Field {
  return { ...field('an object', isJsonObject), shape };
}

/** A field that is a list of objects of a shape. */
export function listOf(shape: Shape): Field {
  return { ...field('a list', Array.isArray), shape };
}

/** The first field that does not fit, as a sentence; `undefined` if all do. `path` leads to the object, such as `position.`. */
function mismatch(object: { readonly [key: string]: unknown }, shape: Shape, path: string): string | undefined {
  for (const name of Object.keys(shape)) {
    const { want, optional: mayMiss, test, shape: inner } = shape[name]!;
    const found = Object.hasOwn(object, name) ? object[name] : undefined;
    if (found === undefined ? !mayMiss : !test(found)) return `"${path}${name}": want ${want}, got ${brief(found)}`;
    if (found === undefined || inner === undefined) continue;
    const complaint = isJsonObject(found)
      ? mismatch(found, inner, `${path}${name}.`)
      : mismatchInList(found as readonly unknown[], inner, `${path}${name}`);
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

function mismatchInList(list: readonly unknown[], shape: Shape, path: string): string | undefined {
  for (const [index, item] of list.entries()) {
    const complaint = isJsonObject(item)
      ? mismatch(item, shape, `${path}[${index}].`)
      : `"${path}[${index}]": want an object, got ${brief(item)}`;
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

/** Throws `BAD_FRAME` with the path of the field, such as `"subscribe[3].topic"`. `what` begins the sentence, such as `publish`. */
export function assertShape(what: string, value: unknown, shape: Shape): void {
  const complaint = isJsonObject(value) ? mismatch(value, shape, '') : `want an object, got ${brief(value)}`;
  if (complaint !== undefined) throw new HoldfastError('BAD_FRAME', `${what}: ${complaint}`);
}

/** The type of the message that a frame holds, known or not. Throws `BAD_FRAME`. */
export function messageType(value: Json): string {
  const type = isJsonObject(value) && Object.hasOwn(value, 'type') ? value['type'] : undefined;
  if (typeof type !== 'string') throw new HoldfastError('BAD_FRAME', 'want a JSON object with "type", a string');
  return type;
}

function brief(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
