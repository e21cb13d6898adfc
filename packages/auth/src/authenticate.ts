/** The hook `authenticate` of the server: finds the token, finds out whose it is, and asks whether it was taken back. */

import type { Authenticate, Identity } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import type { ApiKeys } from './api-keys.ts';
import type { Verifier } from './jwt-verifier.ts';
import type { Revocations } from './revocation.ts';
import { TICKET_PREFIX, type Tickets } from './ticket.ts';
import { createTokenFinder, type TokenSource } from './token-source.ts';
import { assertTokenLength } from './token-text.ts';

/** At least one of `verifier`, `tickets` and `apiKeys`. */
export interface AuthenticateOptions {
  readonly verifier?: Verifier;
  readonly tickets?: Pick<Tickets, 'redeem'>;
  readonly apiKeys?: ApiKeys;
  readonly revocations?: Pick<Revocations, 'isRevoked'>;
  /** Where tokens, tickets and keys are looked for, in this order. Default `['frame']`. */
  readonly sources?: readonly TokenSource[];
}

/**
 * A token that begins with `hft_` is a ticket; one that is an API key is that; any other one goes to the verifier. Refuses with
 * `UNAUTHENTICATED`, `TOKEN_EXPIRED` or `REVOKED`. Throws `USAGE` for options that can let nobody in.
 */
export function createAuthenticate({ verifier, tickets, apiKeys, revocations, sources = ['frame'] }: AuthenticateOptions): Authenticate {
  if (verifier === undefined && tickets === undefined && apiKeys === undefined) {
    throw new HoldfastError('USAGE', 'one of verifier, tickets and apiKeys is needed: nobody could come in');
  }
  const findToken = createTokenFinder(sources);

  function identify(token: string): Identity | Promise<Identity> {
    if (token.startsWith(TICKET_PREFIX)) {
      if (tickets === undefined) throw new HoldfastError('UNAUTHENTICATED', 'tickets are not accepted here');
      return tickets.redeem(token);
    }
    const identity = apiKeys?.(token);
    if (identity !== undefined) return identity;
    if (verifier !== undefined) return verifier(token);
    throw new HoldfastError('UNAUTHENTICATED', 'the token is neither a ticket nor an API key that is known here');
  }

  return async (credentials) => {
    const token = findToken(credentials);
    assertTokenLength(token);
    const identity = await identify(token);
    if (revocations?.isRevoked(identity) === true) throw new HoldfastError('REVOKED');
    return identity;
  };
}
