/** What every adapter asks of an address and of the class that is called with it. Without `URL`, which Hermes lacks. */

import { HoldfastError } from '@holdfast/wire';

const ADDRESS = /^wss?:\/\/[^/?#\s]+([/?][^#\s]*)?$/i;

/** Throws `INVALID_URL` for what is no absolute address of a WebSocket (RFC 6455 section 3): a fragment is none either. */
export function assertAddress(url: unknown): asserts url is string {
  if (typeof url === 'string' && ADDRESS.test(url)) return;
  throw new HoldfastError('INVALID_URL', `${typeof url === 'string' ? `"${shown(url)}"` : typeof url} is not the address of a WebSocket`);
}

/** Calls a constructor; what it throws is about the address, since all else was looked at before. */
export function construct<T>(url: string, make: () => T): T {
  assertAddress(url);
  try {
    return make();
  } catch (cause) {
    throw cause instanceof HoldfastError
      ? cause
      : new HoldfastError('INVALID_URL', `no WebSocket can be opened to "${shown(url)}": ${String(cause)}`, { cause });
  }
}

/** Without its query, in which people put secrets. */
function shown(url: string): string {
  return url.replace(/\?.*/s, '?...').replace(/\/\/[^/@]*@/, '//...@');
}
