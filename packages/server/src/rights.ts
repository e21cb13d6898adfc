/** Who a client is, and what it may do: the two hooks that an application gives. Asked on every action (PROTOCOL.md HF-5.10). */

import { HoldfastError } from '@holdfast/wire';
import type { Clock } from './clock.ts';

/** Who the credentials say the client is. */
export interface Identity {
  /** Stable and unique, 1 to 256 characters; what entries carry as `from`. */
  readonly subject: string;
  /** Whatever the application wants to find again in `authorize` and in its handlers. */
  readonly claims?: unknown;
  /** When the credentials end, ms since 1970; the connection is warned ahead and closed then (PROTOCOL.md HF-3.8). Default: never. */
  readonly expiresAtMs?: number;
  /** What names these credentials among all of the subject's, such as the `jti` of a token: `hub.disconnect` finds them by it. */
  readonly credentialId?: string;
  /** When they were issued, ms since 1970: so that all older ones can be taken back at once. */
  readonly issuedAtMs?: number;
}

/** What a client showed: in its first frame, and in the HTTP request of the upgrade. */
export interface Credentials {
  readonly token: string | undefined;
  readonly client: string;
  /** The address of the client: of the peer, or what trusted proxies say of it. */
  readonly address: string;
  /** Headers of the upgrade, lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Path and query of the upgrade, such as `/realtime?ticket=...`. Never write it into a log. */
  readonly url: string;
  /** The subprotocols that the client offered, in its order. */
  readonly protocols: readonly string[];
}

/** Finds out who it is. Throw or reject with `new HoldfastError('UNAUTHENTICATED', why)` to refuse. */
export type Authenticate = (credentials: Credentials) => Identity | Promise<Identity>;

/** What rights are asked for. `presence`: show oneself as a member; `members`: see who is there. */
export const ACTIONS = ['subscribe', 'publish', 'read', 'signal', 'presence', 'members', 'register', 'call'] as const;

export type Action = (typeof ACTIONS)[number];

/** May `identity` do `action` on `topic`? For `call`, `topic` is the method's name. */
export interface Question {
  readonly identity: Identity;
  readonly action: Action;
  readonly topic: string;
  /** With `register`: which one. */
  readonly key?: string;
}

/** A right with its bounds. */
export interface Grant {
  /** The first offset that may be seen; earlier ones become a gap with reason `floor`. */
  readonly floor?: number;
  /** The wall-clock time (ms) at which the right ends: nothing is allowed from then on, and a cursor pauses. */
  readonly untilMs?: number;
}

/** `true` or a grant allows; anything else refuses. */
export type Authorize = (question: Question) => boolean | Grant | Promise<boolean | Grant>;

/** The longest subject, characters: an entry's frame has room for it (HF-5.3). */
const SUBJECT_LENGTH_MAX = 256;

/** Whether a value can be a subject. */
export function isSubject(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= SUBJECT_LENGTH_MAX;
}

/**
 * The development identity: whoever the token claims to be, or a guest named after the client. For trying things out
 * on one's own machine only: anybody may be anybody.
 */
export function anonymous({ token, client }: Credentials): Identity {
  if (token === undefined || token === '') return { subject: `guest-${client.slice(-8)}` };
  if (token.length > 64) throw new HoldfastError('UNAUTHENTICATED', 'in development mode the token is a name of at most 64 characters');
  return { subject: token };
}

/** Whether a refusal is one of the credentials as a whole: new ones may help, and the connection ends with 4300 (HF-3.3). */
export function isCredentialRefusal({ code }: HoldfastError): boolean {
  return code === 'UNAUTHENTICATED' || code === 'TOKEN_EXPIRED' || code === 'REVOKED';
}

/**
 * Turns the hook's answer into a grant or a refusal that says what was missing. Whatever is neither `true` nor a grant refuses,
 * and so does a grant that has ended.
 */
export function grantOf(answer: unknown, { identity, action, topic }: Question, clock: Pick<Clock, 'now'>): Grant {
  if (answer === true) return {};
  if (typeof answer === 'object' && answer !== null) {
    const { untilMs = Infinity } = answer as Grant;
    // Not the other way round: what is no number allows nothing.
    if (clock.now() < untilMs) return answer;
    throw new HoldfastError('FORBIDDEN', `the right to ${action} "${topic}" has ended`);
  }
  throw new HoldfastError('FORBIDDEN', `"${identity.subject}" may not ${action} "${topic}"`);
}
