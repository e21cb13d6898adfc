/** The header `Authorization: Bearer` (RFC 6750 section 2.1). No token is ever repeated in an error. */

import { HoldfastError } from '@holdfast/wire';

/** The token, `undefined` without the header. Throws `UNAUTHENTICATED` for any other way of saying who one is. */
export function parseBearer(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  // More than the RFC has: in development the token is a name.
  const match = /^bearer +([\x21-\x7e]+)$/i.exec(header.trim());
  if (match !== null) return match[1];
  throw new HoldfastError('UNAUTHENTICATED', 'the header Authorization is not of the form "Bearer TOKEN"');
}
