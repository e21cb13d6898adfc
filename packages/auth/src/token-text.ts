/** How long a token may be, wherever it was found. It must be known before anything looks into it. */

import { HoldfastError } from '@holdfast/wire';

/** The longest token, characters; what a header may have in most servers and proxies. */
export const TOKEN_LENGTH_MAX = 8192;

/** Throws `UNAUTHENTICATED`. */
export function assertTokenLength(token: string): void {
  if (token.length <= TOKEN_LENGTH_MAX) return;
  throw new HoldfastError('UNAUTHENTICATED', `the token has ${token.length} characters; at most ${TOKEN_LENGTH_MAX} are accepted`, {
    hint: 'Put less into the claims of the token.',
  });
}
