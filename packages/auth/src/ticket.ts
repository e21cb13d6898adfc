/**
 * Tickets: tokens for one use within seconds, for where a lasting one would be seen, such as the URL of a WebSocket. A
 * back end, or a page with its cookie, gets one over HTTP and connects with it. They live in this process and are lost with it.
 */

import { createHash, randomBytes } from 'node:crypto';
import { systemClock, type Clock, type Identity } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { isIdText } from './subject.ts';

/** What every ticket begins with. No JWT does: its first character is `e`. */
export const TICKET_PREFIX = 'hft_';

/** 256 bits. */
const RANDOM_BYTES = 32;

export interface TicketsOptions {
  readonly clock?: Pick<Clock, 'now'>;
  /** So many unpredictable bytes. Default: those of the operating system. */
  readonly random?: (bytes: number) => Uint8Array;
  /** How long a ticket is good, ms. Default 30 000. */
  readonly lifetimeMs?: number;
  /** How many may be good at a time. Default 10 000. */
  readonly ticketsMax?: number;
  /** How many of one subject: nobody may use up what is there for all. Default 1 000. */
  readonly subjectTicketsMax?: number;
}

export interface Ticket {
  readonly ticket: string;
  /** Not after the end of the credentials for which it stands, ms since 1970. */
  readonly expiresAtMs: number;
}

export interface Tickets {
  /**
   * A ticket for whoever has this identity; the connection that it opens has all of it, with the end and the id of the
   * credentials. Throws `TOKEN_EXPIRED` if they have ended, `FORBIDDEN` for an identity that came of a ticket itself, and
   * `OVERLOADED` if there are as many tickets as there may be, in all or of its subject.
   */
  issue(identity: Identity): Ticket;
  /** Takes a ticket in, once. The identity, and every copy of it, is known as that of a ticket. Throws `UNAUTHENTICATED`. */
  redeem(ticket: string): Identity;
  /** How many are kept; run-out ones count until they are forgotten. */
  readonly count: number;
}

/** Marks an identity that came of a ticket. A symbol goes with every copy that an application's own hook makes, and into no JSON. */
const OF_TICKET = Symbol('of a ticket');

interface TicketIdentity extends Identity {
  readonly [OF_TICKET]?: true;
}

interface Kept {
  readonly identity: Identity;
  readonly expiresAtMs: number;
}

export function createTickets({
  clock = systemClock,
  random = randomBytes,
  lifetimeMs = 30_000,
  ticketsMax = 10_000,
  subjectTicketsMax = 1_000,
}: TicketsOptions = {}): Tickets {
  // By hash: who reads the memory of the process cannot use them, and how long a comparison takes says nothing.
  const kept = new Map<string, Kept>();
  const countOf = new Map<string, number>();

  function issue(identity: Identity): Ticket {
    if (!isIdText(identity.subject)) throw new HoldfastError('USAGE', 'a ticket is for an identity with a subject of 1 to 256 characters');
    // Else whoever got hold of one could change it for the next for ever, long after the credentials behind it are gone.
    if ((identity as TicketIdentity)[OF_TICKET] === true) throw exchange();
    const nowMs = clock.now();
    if (identity.expiresAtMs !== undefined && identity.expiresAtMs <= nowMs) throw new HoldfastError('TOKEN_EXPIRED');
    if (lackFor(identity) !== undefined) forget(nowMs);
    const lack = lackFor(identity);
    if (lack !== undefined) throw new HoldfastError('OVERLOADED', `${lack} are waiting to be used`, { retryAfterMs: lifetimeMs });
    const ticket = TICKET_PREFIX + Buffer.from(random(RANDOM_BYTES)).toString('base64url');
    const expiresAtMs = Math.min(nowMs + lifetimeMs, identity.expiresAtMs ?? Infinity);
    kept.set(hashOf(ticket), { identity, expiresAtMs });
    countOf.set(identity.subject, (countOf.get(identity.subject) ?? 0) + 1);
    return { ticket, expiresAtMs };
  }

  function redeem(ticket: string): Identity {
    const hash = hashOf(ticket);
    const found = kept.get(hash);
    if (found === undefined) throw refusal('the ticket is not known here: it was used already, has run out, or is of another server');
    drop(hash, found);
    if (found.expiresAtMs <= clock.now()) throw refusal('the ticket has run out');
    const identity: TicketIdentity = { ...found.identity, [OF_TICKET]: true };
    return identity;
  }

  function forget(nowMs: number): void {
    for (const [hash, one] of kept) if (one.expiresAtMs <= nowMs) drop(hash, one);
  }

  function drop(hash: string, { identity: { subject } }: Kept): void {
    kept.delete(hash);
    const count = countOf.get(subject)! - 1;
    if (count === 0) countOf.delete(subject);
    else countOf.set(subject, count);
  }

  /** Of what there is no more room. */
  function lackFor({ subject }: Identity): string | undefined {
    if (kept.size >= ticketsMax) return `${ticketsMax} tickets`;
    return (countOf.get(subject) ?? 0) >= subjectTicketsMax ? `${subjectTicketsMax} tickets of this subject` : undefined;
  }

  return {
    issue,
    redeem,
    get count() {
      return kept.size;
    },
  };
}

function refusal(message: string): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', message, { hint: 'Get a new ticket for every connection.' });
}

function exchange(): HoldfastError {
  return new HoldfastError('FORBIDDEN', 'a ticket gives no other ticket', {
    hint: 'Ask with the credentials that the first one stood for.',
  });
}

function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64');
}
