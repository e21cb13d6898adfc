/** A small table language for the fields of a message, so that every check names its field (PROTOCOL.md HF-4.1). */

import { HoldfastError } from './error.ts';
import type { Json } from './json.ts';
import { isName, isRegisterKey, isTopicName } from './names.ts';

/** One field: what it must satisfy, and how to say so. */
export interface Field {
  readonly want: string;
  readonly optional: boolean;
  readonly test: (value: unknown) => boolean;
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
export function isRequestId(value: unknown): value is string | number {
  return (typeof value === 'string' && value.length >= 1 && value.length <= 64) || (typeof value === 'number' && Number.isSafeInteger(value));
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
export const numberField: Field = field('a number', (value) => typeof value === 'number');
export const listField: Field = field('a list', (value) => Array.isArray(value));

export function oneOf(...names: string[]): Field {
  return field(`one of ${names.map((name) => `"${name}"`).join(', ')}`, (value) => typeof value === 'string' && names.includes(value));
}

export function optional(required: Field): Field {
  return { ...required, optional: true };
}

/** A field that is itself an object of a shape. */
export function nested(shape: Shape): Field {
  return field('an object as the clause describes', (value) => mismatch(value, shape) === undefined);
}

/** The first field that does not fit, as a sentence; `undefined` if all do. */
function mismatch(value: unknown, shape: Shape): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'want an object';
  const object = value as Readonly<Record<string, unknown>>;
  for (const [name, { want, optional: mayMiss, test }] of Object.entries(shape)) {
    const found = object[name];
    if (found === undefined ? !mayMiss : !test(found)) return `"${name}": want ${want}, got ${brief(found)}`;
  }
  return undefined;
}

/** Throws `BAD_FRAME` with the name of the field. `what` begins the sentence, such as `publish`. */
export function assertShape(what: string, value: unknown, shape: Shape): void {
  const complaint = mismatch(value, shape);
  if (complaint !== undefined) throw new HoldfastError('BAD_FRAME', `${what}: ${complaint}`);
}

function brief(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value as Json);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
