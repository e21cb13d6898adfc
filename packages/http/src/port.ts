/** What the REST API needs of whoever keeps credentials: two ports. `@holdfast/auth` has implementations of both. */

import type { Identity } from '@holdfast/server';

/** Gives out one-time tickets (PROTOCOL.md HF-3.10). */
export interface TicketIssuer {
  /** A ticket for whoever has this identity. Throws `TOKEN_EXPIRED` or `OVERLOADED`. */
  issue(identity: Identity): Issued | Promise<Issued>;
}

/** A ticket, and until when it is good, ms since 1970. */
export interface Issued {
  readonly ticket: string;
  readonly expiresAtMs: number;
}

/** Which credentials are taken back: those that meet all conditions. */
export interface RevocationRecord {
  readonly subject?: string;
  readonly credentialId?: string;
  /** Issued earlier than this, ms since 1970. */
  readonly issuedBeforeMs?: number;
  /** When the record ends, ms since 1970. Default: never. */
  readonly untilMs?: number;
}

/** Keeps revocations, so that `authenticate` refuses what they meet. */
export interface RevocationSink {
  /** Resolves when the record is kept. Throws `USAGE` or `OVERLOADED`. */
  revoke(record: RevocationRecord): void | Promise<void>;
}
