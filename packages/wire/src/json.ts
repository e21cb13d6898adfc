/**
 * JSON values: their type, a parser that refuses what could hurt (PROTOCOL.md HF-4.1), and the check that a value would
 * come out of a frame as it went in (HF-1.6). It knows nothing of messages.
 *
 * Both walk the value by recursion that ends at the bounds: no text, however deep, can exhaust the stack, and what has too
 * many keys costs no more than one that has just as many as it may.
 */

import { HoldfastError } from './error.ts';

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Parses a JSON text of at most `depthMax` levels of objects and arrays and `keysMax` keys of objects and items of arrays
 * together, without the key `__proto__` and without a number beyond the doubles. Of a key that comes twice the last value
 * counts. Throws a `HoldfastError`: `BAD_JSON`, `TOO_DEEP`, `TOO_MANY_KEYS` or `FORBIDDEN_KEY`. `depthMax` is a few hundred
 * at most; `keysMax` may be `Infinity`.
 */
export function parseJson(text: string, depthMax: number, keysMax: number): Json {
  let root: Json;
  try {
    root = JSON.parse(text) as Json;
  } catch (cause) {
    throw new HoldfastError('BAD_JSON', `not JSON: ${(cause as Error).message}`);
  }
  walk(root, depthMax, keysMax, (value) => {
    // `JSON.parse` makes 1e999 an Infinity, which would be written as null from then on.
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new HoldfastError('BAD_JSON', 'a number is beyond the range of a double');
  });
  return root;
}

/**
 * Asserts that a value of the application's is JSON that arrives as it is: finite numbers, strings, booleans, null, arrays
 * without holes and plain objects. A property that is `undefined` counts as absent, and -0 arrives as 0. `what` begins the
 * message, such as `publish`. Returns how many keys and items it has. Throws `USAGE`, `TOO_DEEP` (more than `depthMax`
 * levels, or a cycle), `TOO_MANY_KEYS` (more than `keysMax` keys and items) or `FORBIDDEN_KEY`.
 */
export function assertJson(what: string, root: unknown, depthMax: number, keysMax: number): number {
  return walk(root, depthMax, keysMax, (value) => {
    if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
    if (typeof value === 'number') throw new HoldfastError('USAGE', `${what}: ${value} is not JSON`);
    if (typeof value !== 'object') throw new HoldfastError('USAGE', `${what}: a value of type ${typeof value} is not JSON`);
    if (Array.isArray(value)) return;
    // Judged by the chain's length, since another realm has another `Object.prototype`.
    const prototype: unknown = Object.getPrototypeOf(value);
    const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
    if (!isPlain) throw new HoldfastError('USAGE', `${what}: an instance of ${value.constructor.name} is not JSON; convert it first`);
  });
}

/** Shows each value to `assertValue`, from the outside in. Returns the count of keys and items. */
function walk(root: unknown, depthMax: number, keysMax: number, assertValue: (value: unknown) => void): number {
  // The root is neither.
  let count = -1;
  const visit = (value: unknown, levels: number): void => {
    count += 1;
    if (count > keysMax) throw new HoldfastError('TOO_MANY_KEYS', `JSON of more than ${keysMax} keys and items`);
    assertValue(value);
    if (typeof value !== 'object' || value === null) return;
    if (levels <= 0) throw new HoldfastError('TOO_DEEP', `JSON of more than ${depthMax} levels`);
    if (Array.isArray(value)) {
      for (const item of value as readonly unknown[]) visit(item, levels - 1);
      return;
    }
    for (const key of Object.keys(value)) {
      if (key === '__proto__') throw new HoldfastError('FORBIDDEN_KEY', 'the key "__proto__" is not allowed');
      const child = (value as { readonly [key: string]: unknown })[key];
      if (child !== undefined) visit(child, levels - 1);
    }
  };
  visit(root, depthMax);
  return count;
}

/** Whether a value is a plain JSON object (no array, not null). */
export function isJsonObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
