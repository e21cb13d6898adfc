/** One text for equal values: keys in order, -0 as 0, what is `undefined` left out, as PROTOCOL.md HF-1.7 counts equality. */

import { isJsonObject } from '@holdfast/wire';

export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) => (isJsonObject(one) ? sorted(one) : one)) ?? 'undefined';
}

function sorted(object: { readonly [key: string]: unknown }): unknown {
  return Object.fromEntries(Object.entries(object).sort(([one], [other]) => (one < other ? -1 : 1)));
}
