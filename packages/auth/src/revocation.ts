/**
 * Revocations: credentials that were taken back before their end. A revocation is a plain record, so it can be kept in
 * a log: whoever applies the same records in the same order knows the same.
 */

import { systemClock, type Clock, type Identity } from '@holdfast/server';
import { HoldfastError, isJsonObject } from '@holdfast/wire';
import { isIdText } from './subject.ts';

/**
 * What is taken back: the credentials that meet all of the conditions given. `{credentialId}` is one token, `{subject,
 * issuedBeforeMs}` signs somebody out everywhere, `{issuedBeforeMs}` everybody, and `{subject}` locks somebody out.
 */
export interface Revocation {
  readonly subject?: string;
  readonly credentialId?: string;
  /** Issued earlier than this, ms since 1970, or nobody knows when. The `iat` of a token has whole seconds. */
  readonly issuedBeforeMs?: number;
  /** When it ends, ms since 1970: when the last token that it meets has ended by itself. Default: never. */
  readonly untilMs?: number;
}

export interface RevocationsOptions {
  readonly clock?: Pick<Clock, 'now'>;
  /** How many may be in force at a time. Default 100 000, about 30 MB. */
  readonly revocationsMax?: number;
}

export interface Revocations {
  /**
   * Takes a record into account. It replaces the earlier one with the same `subject` and `credentialId`, if both or neither
   * have `issuedBeforeMs`; of two with a time the later time stands. One with `untilMs` in the past gives back what was taken. Throws `USAGE` for a record that
   * is none, and `OVERLOADED`, without having forgotten any, if there are as many as there may be.
   */
  revoke(revocation: Revocation): void;
  isRevoked(identity: Identity): boolean;
  /** Those in force. Applied to an empty list they give the same answers: what a log can be shortened to. */
  list(): Revocation[];
}

export function createRevocations({ clock = systemClock, revocationsMax = 100_000 }: RevocationsOptions = {}): Revocations {
  const records = new Map<string, Revocation>();

  const isInForce = ({ untilMs = Infinity }: Revocation): boolean => untilMs > clock.now();

  function revoke(given: Revocation): void {
    const revocation = parseRevocation(given);
    const key = keyOf(revocation.subject, revocation.credentialId, revocation.issuedBeforeMs !== undefined);
    if (!isInForce(revocation)) return void records.delete(key);
    if (!records.has(key) && records.size >= revocationsMax) makeRoom();
    const standing = records.get(key);
    records.set(key, standing !== undefined && isInForce(standing) ? joined(standing, revocation) : revocation);
  }

  function makeRoom(): void {
    for (const [key, revocation] of records) if (!isInForce(revocation)) records.delete(key);
    if (records.size < revocationsMax) return;
    throw new HoldfastError('OVERLOADED', `${revocationsMax} revocations are in force, as many as there may be`, {
      hint: 'Give revocations an end with `untilMs`, or raise `revocationsMax`.',
    });
  }

  function isRevoked(identity: Identity): boolean {
    return keysFor(identity).some((key) => {
      const revocation = records.get(key);
      return revocation !== undefined && isInForce(revocation) && covers(revocation, identity);
    });
  }

  return { revoke, isRevoked, list: () => [...records.values()].filter(isInForce) };
}

/** Whether a revocation in force meets an identity: for connections that are open already. Pure; `untilMs` is not looked at. */
export function covers({ subject, credentialId, issuedBeforeMs }: Revocation, identity: Identity): boolean {
  return (
    (subject === undefined || subject === identity.subject) &&
    (credentialId === undefined || credentialId === identity.credentialId) &&
    (issuedBeforeMs === undefined || (identity.issuedAtMs ?? -Infinity) < issuedBeforeMs)
  );
}

/** A record as it comes from a log or a request. Unknown fields are dropped. Throws `USAGE`, naming the field. */
export function parseRevocation(value: unknown): Revocation {
  if (!isJsonObject(value)) throw new HoldfastError('USAGE', 'a revocation is an object');
  const { subject, credentialId, issuedBeforeMs, untilMs } = value as Readonly<Record<keyof Revocation, unknown>>;
  if (subject === undefined && credentialId === undefined && issuedBeforeMs === undefined) {
    throw new HoldfastError('USAGE', 'a revocation without subject, credentialId and issuedBeforeMs would lock everybody out');
  }
  return {
    ...(subject === undefined ? {} : { subject: idOf('subject', subject) }),
    ...(credentialId === undefined ? {} : { credentialId: idOf('credentialId', credentialId) }),
    ...(issuedBeforeMs === undefined ? {} : { issuedBeforeMs: timeOf('issuedBeforeMs', issuedBeforeMs) }),
    ...(untilMs === undefined ? {} : { untilMs: timeOf('untilMs', untilMs) }),
  };
}

/** Signing somebody out as of an earlier time does not let in whom a later one keeps out. */
function joined(standing: Revocation, revocation: Revocation): Revocation {
  const { issuedBeforeMs, untilMs = Infinity } = standing;
  if (issuedBeforeMs === undefined || revocation.issuedBeforeMs === undefined) return revocation;
  const { untilMs: _until, ...rest } = revocation;
  const lastMs = Math.max(untilMs, revocation.untilMs ?? Infinity);
  const end = lastMs === Infinity ? {} : { untilMs: lastMs };
  return { ...rest, issuedBeforeMs: Math.max(issuedBeforeMs, revocation.issuedBeforeMs), ...end };
}

function idOf(field: string, value: unknown): string {
  if (isIdText(value)) return value;
  throw new HoldfastError('USAGE', `the ${field} of a revocation is a string of 1 to 256 characters`);
}

function timeOf(field: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new HoldfastError('USAGE', `the ${field} of a revocation is a time in ms since 1970`);
}

function keyOf(subject: string | undefined, credentialId: string | undefined, hasTime: boolean): string {
  return JSON.stringify([subject ?? null, credentialId ?? null, hasTime]);
}

/** The keys of all revocations that can meet an identity. */
function keysFor({ subject, credentialId }: Identity): string[] {
  const ids = credentialId === undefined ? [undefined] : [undefined, credentialId];
  return [undefined, subject].flatMap((one) => ids.flatMap((id) => [keyOf(one, id, false), keyOf(one, id, true)]));
}
