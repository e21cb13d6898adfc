/**
 * A payload as it is taken in: checked and copied once, so that what is sent, stored and sent again is the same whatever
 * the caller does to its object later (a resend with another payload would be `SEQ_CONFLICT`, HF-6.5).
 */

import { HoldfastError, utf8Length, type Data, type Json } from '@holdfast/wire';

/**
 * A copy of JSON or bytes. Properties that are `undefined` are left out and `toJSON` is honoured, as `JSON.stringify` does.
 * Throws `USAGE` for what is not JSON, `TOO_DEEP` and `FORBIDDEN_KEY` as a server would (HF-4.1).
 */
export function copyPayload(data: Data, depthMax: number): Data {
  return data instanceof Uint8Array ? new Uint8Array(data) : copyJson(data, depthMax, 'data');
}

/** What it takes in a frame, bytes. */
export function payloadBytes(data: Data): number {
  if (data instanceof Uint8Array) return data.length;
  return utf8Length(JSON.stringify(data));
}

export function copyJson(value: unknown, depthLeft: number, path: string): Json {
  if (depthLeft < 0) throw new HoldfastError('TOO_DEEP', `${path}: nested too deeply`);
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value)) return value;
      throw notJson(path, String(value));
    case 'object':
      if (value === null) return null;
      if (Array.isArray(value)) return value.map((item, at) => copyJson(item, depthLeft - 1, `${path}[${at}]`));
      return copyObject(value, depthLeft, path);
    default:
      throw notJson(path, typeof value);
  }
}

function copyObject(value: object, depthLeft: number, path: string): Json {
  const { toJSON } = value as { toJSON?: () => unknown };
  if (typeof toJSON === 'function') return copyJson(toJSON.call(value), depthLeft, path);
  const prototype: unknown = Object.getPrototypeOf(value);
  // Objects of another realm have another Object.prototype, whose own prototype is null as well.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain) throw notJson(path, `an instance of ${(value.constructor as { name?: string } | undefined)?.name ?? 'a class'}`);
  const copy: { [key: string]: Json } = {};
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') throw new HoldfastError('FORBIDDEN_KEY', `${path}: the key "__proto__" is not allowed`);
    if (item !== undefined) copy[key] = copyJson(item, depthLeft - 1, `${path}.${key}`);
  }
  return copy;
}

function notJson(path: string, found: string): HoldfastError {
  return new HoldfastError('USAGE', `${path}: want JSON or a Uint8Array, found ${found}`);
}
