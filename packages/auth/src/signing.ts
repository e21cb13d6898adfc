/** Makes tokens that `createJwtVerifier` accepts, and keys for them: for the command line, for back ends in JavaScript, for tests. */

import { createPrivateKey, generateKeyPairSync, randomBytes, randomUUID, type JsonWebKey, type KeyObject } from 'node:crypto';
import { systemClock, type Clock } from '@holdfast/server';
import { HoldfastError, type Json } from '@holdfast/wire';
import { SignJWT } from 'jose';
import { algorithmsOfKey, algorithmsOfSecret, type Algorithm } from './algorithm.ts';
import { CAPABILITY_CLAIM, parseCapabilities, type Capabilities } from './capability.ts';
import { isIdText, SERVER_PREFIX } from './subject.ts';
import { TOKEN_LENGTH_MAX } from './token-text.ts';
import { secretBytes, type SecretKey } from './verification-key.ts';

/** A private key: PEM (PKCS #8) or JWK. */
export interface PrivateKey {
  readonly privateKey: string | JsonWebKey;
}

export type SigningKey = SecretKey | PrivateKey;

export interface SignTokenOptions {
  readonly key: SigningKey;
  /** Default: the first that the key fits: HS256, RS256, ES256, ES384 or EdDSA. */
  readonly algorithm?: Algorithm;
  /** Names the key in the header (`kid`), for verifiers that have several. */
  readonly keyId?: string;
  /** 1 to 256 characters. */
  readonly subject: string;
  /** How long it is good, ms; rounded up to seconds. Default one hour. */
  readonly lifetimeMs?: number;
  readonly issuer?: string;
  readonly audience?: string | readonly string[];
  /** Its `jti`, by which it can be revoked. Default: a random one. */
  readonly credentialId?: string;
  readonly capabilities?: Capabilities;
  /** The claim that holds the capabilities. Default `holdfast`. */
  readonly capabilityClaim?: string;
  /** More claims; none that an option stands for. */
  readonly claims?: Readonly<Record<string, Json>>;
  readonly clock?: Pick<Clock, 'now'>;
}

const HOUR_MS = 3_600_000;

/** Rejects with `USAGE` for what no server would accept: a weak key, a wrong algorithm, mistakes in capabilities, a token of more than 8 KiB. */
export async function signToken(options: SignTokenOptions): Promise<string> {
  const { key, algorithm, keyId } = options;
  const { material, algorithms } = openSigningKey(key);
  const alg = algorithm ?? algorithms[0];
  if (alg === undefined) throw new HoldfastError('USAGE', 'the private key is of a kind that is not supported, or too weak');
  if (!algorithms.includes(alg)) throw new HoldfastError('USAGE', `the key does not fit the algorithm ${alg}`);
  const header = { alg, typ: 'JWT', ...(keyId === undefined ? {} : { kid: keyId }) };
  const token = await new SignJWT(claimsOf(options)).setProtectedHeader(header).sign(material);
  if (token.length <= TOKEN_LENGTH_MAX) return token;
  throw new HoldfastError('USAGE', `the token would have ${token.length} characters; servers accept ${TOKEN_LENGTH_MAX}`);
}

function openSigningKey(key: SigningKey): { material: Uint8Array | KeyObject; algorithms: readonly Algorithm[] } {
  if ('secret' in key) {
    const material = secretBytes(key);
    return { material, algorithms: algorithmsOfSecret(material.length) };
  }
  const material = importPrivate(key.privateKey);
  return { material, algorithms: algorithmsOfKey(material) };
}

function importPrivate(given: string | JsonWebKey): KeyObject {
  try {
    return typeof given === 'string' ? createPrivateKey(given) : createPrivateKey({ key: given, format: 'jwk' });
  } catch {
    // The cause might show a part of the key.
    throw new HoldfastError('USAGE', 'the private key is neither PEM nor JWK');
  }
}

function claimsOf(options: SignTokenOptions): Record<string, Json> {
  const { subject, lifetimeMs = HOUR_MS, issuer, audience, credentialId = randomUUID(), capabilities, claims = {} } = options;
  const { capabilityClaim = CAPABILITY_CLAIM, clock = systemClock } = options;
  if (!isIdText(subject)) throw new HoldfastError('USAGE', 'the subject of a token has 1 to 256 characters');
  if (subject.startsWith(SERVER_PREFIX)) throw new HoldfastError('USAGE', `subjects with "${SERVER_PREFIX}" are kept for API keys`);
  if (!isIdText(credentialId)) throw new HoldfastError('USAGE', 'the credentialId of a token has 1 to 256 characters');
  if (!(lifetimeMs > 0 && lifetimeMs < Infinity)) throw new HoldfastError('USAGE', 'lifetimeMs must be more than 0');
  if (capabilities !== undefined) parseCapabilities(capabilities);
  const iat = Math.floor(clock.now() / 1000);
  const own: Record<string, Json> = {
    sub: subject,
    iat,
    exp: iat + Math.ceil(lifetimeMs / 1000),
    jti: credentialId,
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(audience === undefined ? {} : { aud: audience }),
    ...(capabilities === undefined ? {} : { [capabilityClaim]: capabilities as unknown as Json }),
  };
  const taken = Object.keys(claims).find((name) => Object.hasOwn(own, name) || name === 'iss' || name === 'aud');
  if (taken !== undefined) throw new HoldfastError('USAGE', `the claim "${taken}" is given by an option of its own`);
  return { ...claims, ...own };
}

/** A secret of 256 bits, as 43 characters of base64url: for HS256, and as an API key. */
export function generateSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** A pair of keys in PEM, for `EdDSA`, `ES256` or `RS256` (which takes about a second). */
export function generateKeyPair(algorithm: 'EdDSA' | 'ES256' | 'RS256' = 'EdDSA'): {
  readonly publicKey: string;
  readonly privateKey: string;
} {
  const pair = pairFor(algorithm);
  return {
    publicKey: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function pairFor(algorithm: 'EdDSA' | 'ES256' | 'RS256'): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (algorithm) {
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
  }
}
