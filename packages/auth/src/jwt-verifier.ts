/**
 * Verifies signed tokens: JWTs in the compact form of RFC 7515, with the rules of RFC 8725 on by default. A refusal says
 * what was wrong, and neither its message nor its causes ever repeat a part of the token.
 */

import { systemClock, type Clock, type Identity } from '@holdfast/server';
import { HoldfastError, isJsonObject, parseJson, type Json } from '@holdfast/wire';
import { compactVerify, decodeProtectedHeader, errors, type JWSHeaderParameters } from 'jose';
import { isAlgorithm, type Algorithm } from './algorithm.ts';
import { identityOf, type ClaimRules } from './jwt-claims.ts';
import { assertTokenLength } from './token-text.ts';
import { openKey, type KeySource, type VerificationKey } from './verification-key.ts';

/** Finds out whose token it is. Throws or rejects with `UNAUTHENTICATED` or `TOKEN_EXPIRED`, or with `OVERLOADED` if it cannot tell at present. */
export type Verifier = (token: string) => Identity | Promise<Identity>;

export interface JwtVerifierOptions {
  /** Several while they are being changed: whatever one of them has signed is good. */
  readonly keys: VerificationKey | readonly VerificationKey[];
  /** Which algorithms a token may have. Default: those that the keys fit. One that no key fits is refused with `USAGE`. */
  readonly algorithms?: readonly Algorithm[];
  /** Who may have issued it (`iss`). Default: anybody who has the key. */
  readonly issuer?: string | readonly string[];
  /** For whom it may be (`aud`), one of them at least. Default: tokens that name nobody; those that do are refused. */
  readonly audience?: string | readonly string[];
  /** What its header must name as `typ`, such as `at+jwt`. Default: anything. */
  readonly type?: string;
  /** How far the clocks of issuer and server may differ, ms. Default 5 000. */
  readonly clockToleranceMs?: number;
  /** The claim that becomes the subject. Default `sub`. */
  readonly subjectClaim?: string;
  /** Whether a token must have an end (`exp`). Default true. */
  readonly requireExpiry?: boolean;
  /** The longest time from `iat` (or, without it, from now) to `exp`, ms. Default: any. */
  readonly maxLifetimeMs?: number;
  readonly clock?: Pick<Clock, 'now'>;
}

/** How deep and how large the claims of a token may be. */
const CLAIMS_DEPTH_MAX = 32;
const CLAIMS_KEYS_MAX = 4096;

/**
 * A verifier of JWTs: the identity has `subject`, all `claims`, `credentialId` (`jti`), `issuedAtMs` (`iat`) and
 * `expiresAtMs` (`exp` and the tolerance). Throws `USAGE` for keys and algorithms that do not fit each other.
 */
export function createJwtVerifier(options: JwtVerifierOptions): (token: string) => Promise<Identity> {
  const { clock = systemClock, type } = options;
  const rules = rulesOf(options);
  const sources = sourcesOf(options, clock);
  const algorithms = [...new Set(sources.flatMap((source) => source.algorithms))];
  return async (token) => {
    const header = headerOf(token);
    const algorithm = algorithmOf(header, algorithms);
    if (type !== undefined && !isType(header.typ, type)) throw refusal(`the token is of another type ("typ") than "${type}"`);
    const fitting = sources.filter((source) => source.algorithms.includes(algorithm));
    return identityOf(await claimsOf(token, header, fitting), rules, clock.now());
  };
}

function rulesOf(options: JwtVerifierOptions): ClaimRules {
  const { issuer, audience, clockToleranceMs = 5_000, subjectClaim = 'sub', requireExpiry = true, maxLifetimeMs } = options;
  if (!(clockToleranceMs >= 0 && clockToleranceMs < Infinity)) throw new HoldfastError('USAGE', 'clockToleranceMs must be 0 or more');
  if (maxLifetimeMs !== undefined && !(maxLifetimeMs > 0)) throw new HoldfastError('USAGE', 'maxLifetimeMs must be more than 0');
  if (maxLifetimeMs !== undefined && !requireExpiry)
    throw new HoldfastError('USAGE', 'maxLifetimeMs needs requireExpiry: what has no end lives longer than anything');
  return { issuers: listOf(issuer), audiences: listOf(audience), clockToleranceMs, subjectClaim, requireExpiry, maxLifetimeMs };
}

function listOf(given: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof given === 'string' ? [given] : given;
}

function sourcesOf({ keys, algorithms }: JwtVerifierOptions, clock: Pick<Clock, 'now'>): readonly KeySource[] {
  const sources = [keys].flat().map((key) => openKey(key, clock));
  if (sources.length === 0) throw new HoldfastError('USAGE', 'there must be at least one key');
  if (algorithms === undefined) return sources;
  for (const name of algorithms) {
    if (!isAlgorithm(name)) throw new HoldfastError('USAGE', `"${String(name)}" is not an algorithm that can be allowed`);
    if (!sources.some((source) => source.algorithms.includes(name))) {
      throw new HoldfastError('USAGE', `no key fits the algorithm ${name}`, {
        hint: 'HS256 takes a secret of 32 bytes (HS384 48, HS512 64); RS, PS, ES and EdDSA take a public key of their kind.',
      });
    }
  }
  return sources
    .map(({ algorithms: own, find }) => ({ algorithms: own.filter((name) => algorithms.includes(name)), find }))
    .filter((source) => source.algorithms.length > 0);
}

function headerOf(token: string): JWSHeaderParameters {
  assertTokenLength(token);
  const parts = token.split('.').length;
  if (parts === 5) throw refusal('the token is encrypted (JWE); only signed ones are accepted');
  if (parts !== 3) throw refusal('the token is not a JWT, which has three parts with dots between them');
  let header: JWSHeaderParameters;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw refusal('the token is not a JWT: its header cannot be read');
  }
  // No extension is understood here, and what is critical must be understood (RFC 7515 section 4.1.11).
  if (header.crit !== undefined) throw refusal('the header of the token demands extensions ("crit"), and none is supported');
  return header;
}

function algorithmOf({ alg }: JWSHeaderParameters, allowed: readonly Algorithm[]): Algorithm {
  if (typeof alg === 'string' && alg.toLowerCase() === 'none') throw refusal('the token is unsigned (algorithm "none")');
  const found = allowed.find((name) => name === alg);
  if (found !== undefined) return found;
  const named = isAlgorithm(alg) ? `the algorithm ${alg} of the token` : 'the algorithm of the token';
  throw refusal(`${named} is not allowed here; allowed: ${allowed.join(', ')}`);
}

/** RFC 7515 section 4.1.9: `application/` may be left out, and case does not count. */
function isType(given: unknown, expected: string): boolean {
  const full = (type: string): string => (type.includes('/') ? type : `application/${type}`).toLowerCase();
  return typeof given === 'string' && full(given) === full(expected);
}

async function claimsOf(
  token: string,
  header: JWSHeaderParameters,
  sources: readonly KeySource[],
): Promise<Readonly<Record<string, Json>>> {
  let tried = 0;
  for (const source of sources) {
    for (const key of await source.find(header)) {
      tried++;
      const payload = await payloadOf(token, key);
      if (payload !== undefined) return parseClaims(payload);
    }
  }
  if (tried > 0) throw refusal('the signature of the token is wrong: it was signed with another key, or changed since');
  throw refusal(
    header.kid === undefined
      ? 'no key of this server fits the token, which does not name its own ("kid")'
      : 'the token names a key ("kid") that its issuer does not list',
  );
}

/** What was signed; `undefined` if it was not signed with this key. */
async function payloadOf(token: string, key: Parameters<typeof compactVerify>[1]): Promise<Uint8Array | undefined> {
  try {
    return (await compactVerify(token, key)).payload;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return undefined;
    // Its message may repeat what it could not read, so it is no cause of the refusal.
    if (error instanceof errors.JWSInvalid) throw refusal('the token is not a JWT: it is not well formed');
    throw error;
  }
}

function parseClaims(payload: Uint8Array): Readonly<Record<string, Json>> {
  try {
    const claims = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(payload), CLAIMS_DEPTH_MAX, CLAIMS_KEYS_MAX);
    if (isJsonObject(claims)) return claims;
  } catch {
    // Falls through: the reason would repeat what stands in the token.
  }
  throw refusal('the claims of the token are not a JSON object that can be accepted');
}

function refusal(message: string): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', message);
}
