/**
 * JSON values from outside: their type, and a parser that refuses what could hurt (PROTOCOL.md HF-4.1).
 * It knows nothing of messages.
 */

import { HoldfastError } from './error.ts';

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Parses a JSON text of at most `depthMax` levels without the key `__proto__` anywhere.
 * Throws a `HoldfastError`: `BAD_JSON`, `TOO_DEEP` or `FORBIDDEN_KEY`.
 */
export function parseJson(text: string, depthMax: number): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (cause) {
    throw new HoldfastError('BAD_JSON', `not JSON: ${(cause as Error).message}`);
  }
  // A key in JSON text may be written with escapes, so only the text without any backslash is proof of its absence.
  const keysAreSafe = !text.includes('__proto__') && !text.includes('\\u');
  if (keysAreSafe && isShallow(text, depthMax)) return value;
  inspect(value, depthMax);
  return value;
}

/** True if the text cannot be deeper than the bound, judged by its opening brackets alone; false proves nothing. */
function isShallow(text: string, depthMax: number): boolean {
  let openings = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if ((unit === 0x7b || unit === 0x5b) && ++openings > depthMax) return false;
  }
  return true;
}

/** Walks level by level, so that depth costs no stack. */
function inspect(root: Json, depthMax: number): void {
  let level: Json[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > depthMax) throw new HoldfastError('TOO_DEEP', `JSON nested more than ${depthMax} levels`);
    const below: Json[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue;
      if (Object.hasOwn(value, '__proto__')) throw new HoldfastError('FORBIDDEN_KEY', 'the key "__proto__" is not allowed');
      for (const child of Object.values(value)) below.push(child as Json);
    }
    level = below;
  }
}

/** Whether a value is a plain JSON object (no array, not null). */
export function isJsonObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
