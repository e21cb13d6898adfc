/**
 * From the claims of a token whose signature is good to an identity (RFC 7519 section 4.1, RFC 8725 sections 3.8 to 3.11).
 * Pure. Its refusals say what was wrong and never repeat what stands in the token.
 */

import type { Identity } from '@holdfast/server';
import { HoldfastError, type Json } from '@holdfast/wire';
import { isIdText, SERVER_PREFIX } from './subject.ts';

export interface ClaimRules {
  readonly issuers: readonly string[] | undefined;
  readonly audiences: readonly string[] | undefined;
  readonly subjectClaim: string;
  readonly requireExpiry: boolean;
  readonly clockToleranceMs: number;
  readonly maxLifetimeMs: number | undefined;
}

type Claims = Readonly<Record<string, Json>>;

/** The farthest time that a date can have, ms. */
const TIME_MAX_MS = 8.64e15;

/** Throws `TOKEN_EXPIRED` or `UNAUTHENTICATED`. */
export function identityOf(claims: Claims, rules: ClaimRules, nowMs: number): Identity {
  checkIssuer(claims, rules);
  checkAudience(claims, rules);
  const times = checkTimes(claims, rules, nowMs);
  const subject = subjectOf(claims, rules);
  const credentialId = claims['jti'];
  if (credentialId !== undefined && !isIdText(credentialId)) throw refusal('the "jti" of the token is not a string of 1 to 256 characters');
  return { subject, claims, ...times, ...(credentialId === undefined ? {} : { credentialId }) };
}

function checkIssuer({ iss }: Claims, { issuers }: ClaimRules): void {
  if (issuers === undefined) return;
  if (iss === undefined) throw refusal(`the token names no issuer ("iss"); expected ${listOf(issuers)}`);
  if (typeof iss !== 'string' || !issuers.includes(iss)) throw refusal(`the token is of another issuer ("iss") than ${listOf(issuers)}`);
}

function checkAudience({ aud }: Claims, { audiences }: ClaimRules): void {
  if (audiences === undefined) {
    // RFC 7519 section 4.1.3: who does not find himself in an audience that is named must refuse.
    if (aud !== undefined) throw refusal('the token is for an audience ("aud"), and this server has none', 'Set `audience` on the server.');
    return;
  }
  if (aud === undefined) throw refusal(`the token names no audience ("aud"); expected ${listOf(audiences)}`);
  const named: readonly Json[] = Array.isArray(aud) ? (aud as readonly Json[]) : [aud];
  if (!named.some((one) => typeof one === 'string' && audiences.includes(one))) {
    throw refusal(`the token is for another audience ("aud") than ${listOf(audiences)}`);
  }
}

function checkTimes(claims: Claims, rules: ClaimRules, nowMs: number): { expiresAtMs?: number; issuedAtMs?: number } {
  const { clockToleranceMs, maxLifetimeMs, requireExpiry } = rules;
  const [expMs, nbfMs, iatMs] = [timeOf(claims, 'exp'), timeOf(claims, 'nbf'), timeOf(claims, 'iat')];
  if (expMs === undefined && requireExpiry) throw refusal('the token has no "exp": it would be good for ever');
  // What is accepted for a while after its end is known for as long: the connection is closed then, not at once.
  const expiresAtMs = expMs === undefined ? undefined : expMs + clockToleranceMs;
  if (expiresAtMs !== undefined && nowMs >= expiresAtMs) {
    throw new HoldfastError('TOKEN_EXPIRED', `the token expired ${secondsOf(nowMs - expMs!)} s ago`);
  }
  if (nbfMs !== undefined && nbfMs > nowMs + clockToleranceMs) {
    throw refusal(`the token is not valid yet ("nbf"), only in ${secondsOf(nbfMs - nowMs)} s`, CLOCKS_HINT);
  }
  if (iatMs !== undefined && iatMs > nowMs + clockToleranceMs) {
    throw refusal(`the token was issued in the future ("iat"), ${secondsOf(iatMs - nowMs)} s from now`, CLOCKS_HINT);
  }
  if (maxLifetimeMs !== undefined && expMs! - (iatMs ?? nowMs) > maxLifetimeMs) {
    throw refusal(`the token lives longer than the ${secondsOf(maxLifetimeMs)} s that are accepted`, 'Issue tokens that end earlier.');
  }
  return { ...(expiresAtMs === undefined ? {} : { expiresAtMs }), ...(iatMs === undefined ? {} : { issuedAtMs: iatMs }) };
}

const CLOCKS_HINT = 'Compare the clocks of the issuer and of this server, or raise `clockToleranceMs`.';

/** A NumericDate (RFC 7519 section 2), ms. */
function timeOf(claims: Claims, name: 'exp' | 'nbf' | 'iat'): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || Math.abs(value * 1000) > TIME_MAX_MS)
    throw refusal(`the "${name}" of the token is not a time in seconds`);
  return Math.round(value * 1000);
}

function subjectOf(claims: Claims, { subjectClaim }: ClaimRules): string {
  const subject = Object.hasOwn(claims, subjectClaim) ? claims[subjectClaim] : undefined;
  if (subject === undefined) throw refusal(`the token has no "${subjectClaim}": it says of nobody who it is`);
  if (!isIdText(subject)) throw refusal(`the "${subjectClaim}" of the token is not a string of 1 to 256 characters`);
  if (subject.startsWith(SERVER_PREFIX))
    throw refusal(`the "${subjectClaim}" of the token begins with "${SERVER_PREFIX}", which only API keys may`);
  return subject;
}

function refusal(message: string, hint?: string): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', message, hint === undefined ? {} : { hint });
}

function listOf(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(' or ');
}

function secondsOf(ms: number): number {
  return Math.ceil(ms / 1000);
}
