/**
 * JSON values: their type, a parser that refuses what could hurt (PROTOCOL.md HF-4.1), and the check that a value would
 * come out of a frame as it went in (HF-1.6). It knows nothing of messages.
 *
 * Both walk the value by recursion that ends at the bound, so that no text, however deep, can exhaust the stack.
 */

import { HoldfastError } from './error.ts';

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Parses a JSON text of at most `depthMax` levels of objects and arrays, without the key `__proto__` and without a number
 * beyond the doubles. Of a key that comes twice the last value counts. Throws a `HoldfastError`: `BAD_JSON`, `TOO_DEEP` or
 * `FORBIDDEN_KEY`. `depthMax` is a few hundred at most.
 */
export function parseJson(text: string, depthMax: number): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (cause) {
    throw new HoldfastError('BAD_JSON', `not JSON: ${(cause as Error).message}`);
  }
  inspect(value, 1, depthMax);
  return value;
}

function inspect(value: Json, level: number, depthMax: number): void {
  // `JSON.parse` makes 1e999 an Infinity, which would be written as null from then on.
  if (typeof value === 'number' && !Number.isFinite(value)) throw new HoldfastError('BAD_JSON', 'a number is beyond the range of a double');
  if (typeof value !== 'object' || value === null) return;
  if (level > depthMax) throw tooDeep(depthMax);
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) inspect(item, level + 1, depthMax);
    return;
  }
  const object = value as { readonly [key: string]: Json };
  for (const key of Object.keys(object)) {
    if (key === '__proto__') throw forbiddenKey();
    inspect(object[key]!, level + 1, depthMax);
  }
}

/**
 * Asserts that a value of the application's is JSON that arrives as it is: finite numbers, strings, booleans, null, arrays
 * without holes and plain objects. A property that is `undefined` counts as absent, and -0 arrives as 0. `what` begins the
 * message, such as `publish`. Throws `USAGE`, `TOO_DEEP` (more than `depthMax` levels, or a cycle) or `FORBIDDEN_KEY`.
 */
export function assertJson(what: string, value: unknown, depthMax: number): asserts value is Json {
  visit(what, value, 1, depthMax);
}

function visit(what: string, value: unknown, level: number, depthMax: number): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (Number.isFinite(value)) return;
  if (typeof value === 'number') throw new HoldfastError('USAGE', `${what}: ${value} is not JSON`);
  if (typeof value !== 'object') throw new HoldfastError('USAGE', `${what}: a value of type ${typeof value} is not JSON`);
  if (level > depthMax) throw tooDeep(depthMax);
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) visit(what, item, level + 1, depthMax);
    return;
  }
  // Judged by the chain's length, since another realm has another `Object.prototype`.
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain) throw new HoldfastError('USAGE', `${what}: an instance of ${value.constructor.name} is not JSON; convert it first`);
  for (const [key, child] of Object.entries(value)) {
    if (key === '__proto__') throw forbiddenKey();
    if (child !== undefined) visit(what, child, level + 1, depthMax);
  }
}

function tooDeep(depthMax: number): HoldfastError {
  return new HoldfastError('TOO_DEEP', `JSON of more than ${depthMax} levels`);
}

function forbiddenKey(): HoldfastError {
  return new HoldfastError('FORBIDDEN_KEY', 'the key "__proto__" is not allowed');
}

/** Whether a value is a plain JSON object (no array, not null). */
export function isJsonObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
