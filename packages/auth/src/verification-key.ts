/**
 * The keys with which signatures are checked: secrets, public keys, and sets of public keys. Each key knows the algorithms
 * that it fits and is never tried with another one, so a public key cannot be taken for a secret (RFC 8725 sections 2.1, 3.1).
 * Whatever is weak or misplaced is refused with `USAGE` when it is given, not when the first token comes.
 */

import { createPublicKey, KeyObject, type JsonWebKey } from 'node:crypto';
import { HoldfastError } from '@holdfast/wire';
import { createLocalJWKSet, errors, type CryptoKey, type JSONWebKeySet, type JWSHeaderParameters } from 'jose';
import { algorithmsOfKey, algorithmsOfSecret, isAlgorithm, PUBLIC_KEY_ALGORITHMS, type Algorithm } from './algorithm.ts';
import { createRemoteKeys, type RemoteKeySet } from './remote-key-set.ts';

/** A secret that issuer and server share: bytes, or a text of which the UTF-8 bytes count. At least 32 bytes. */
export interface SecretKey {
  readonly secret: string | Uint8Array;
}

/** A public key: PEM (SPKI or a certificate) or JWK. RSA (2048 bits at least), P-256, P-384 or Ed25519. */
export interface PublicKey {
  readonly publicKey: string | JsonWebKey;
}

/** Public keys as their issuer lists them; a token names its key by `kid`. */
export interface KeySet {
  readonly jwks: { readonly keys: readonly JsonWebKey[] };
}

export type VerificationKey = SecretKey | PublicKey | KeySet | RemoteKeySet;

/** One given key or key set. */
export interface KeySource {
  readonly algorithms: readonly Algorithm[];
  /** The keys that a token with this header may be signed with; empty if there is none. */
  readonly find: (header: JWSHeaderParameters) => Promise<readonly (Uint8Array | KeyObject | CryptoKey)[]>;
}

/** How many keys of a set are tried for a token that does not name its key. */
const MATCHES_MAX = 8;

/** Throws `USAGE` for a key that is too weak, of an unknown kind, or in the wrong place. */
export function openKey(key: VerificationKey, clock: { now(): number }): KeySource {
  if ('secret' in key) return openSecret(key);
  if ('publicKey' in key) return openPublicKey(key.publicKey);
  if ('jwks' in key) return openKeySet(key);
  if ('jwksUrl' in key) return { algorithms: PUBLIC_KEY_ALGORITHMS, find: findIn(createRemoteKeys(key, clock)) };
  throw new HoldfastError('USAGE', 'a key is one of {secret}, {publicKey}, {jwks} and {jwksUrl}');
}

function openSecret(key: SecretKey): KeySource {
  const bytes = secretBytes(key);
  return { algorithms: algorithmsOfSecret(bytes.length), find: () => Promise.resolve([bytes]) };
}

/** The bytes of a secret. Throws `USAGE` if it is short, or is no secret at all but a key. */
export function secretBytes({ secret }: SecretKey): Uint8Array {
  if (typeof secret === 'string' && /^\s*(?:-----BEGIN|\{)/.test(secret)) {
    throw new HoldfastError('USAGE', 'a key in PEM or JWK was given as a secret; whoever knows the public key could sign with it', {
      hint: 'Give it as `publicKey`.',
    });
  }
  const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : Uint8Array.from(secret);
  if (algorithmsOfSecret(bytes.length).length === 0) {
    throw new HoldfastError('USAGE', `the secret has ${bytes.length} bytes; at least 32 are needed`, {
      hint: 'Make one with `generateSecret()`.',
    });
  }
  return bytes;
}

function openPublicKey(publicKey: PublicKey['publicKey']): KeySource {
  const key = importPublic(publicKey);
  const algorithms = algorithmsOfPublic(key, publicKey);
  if (algorithms.length === 0) {
    throw new HoldfastError('USAGE', 'the public key is of a kind that is not supported, or too weak', {
      hint: 'RSA of 2048 bits and more, P-256, P-384 and Ed25519 are supported.',
    });
  }
  return { algorithms, find: () => Promise.resolve([key]) };
}

/** A JWK may be bound to one algorithm by its own `alg`. */
function algorithmsOfPublic(key: KeyObject, given: string | JsonWebKey): readonly Algorithm[] {
  const algorithms = algorithmsOfKey(key);
  const { alg } = typeof given === 'string' ? { alg: undefined } : given;
  return alg === undefined ? algorithms : algorithms.filter((name) => name === alg);
}

function importPublic(given: string | JsonWebKey): KeyObject {
  if (typeof given === 'string' ? given.includes('PRIVATE KEY-----') : given.d !== undefined) {
    throw new HoldfastError('USAGE', 'a private key was given where the public one is enough', {
      hint: 'Keep the private key with the issuer of the tokens.',
    });
  }
  if (typeof given !== 'string' && given.kty === 'oct') {
    throw new HoldfastError('USAGE', 'the JWK is a secret ("oct"), not a public key', { hint: 'Give its bytes as `secret`.' });
  }
  try {
    return typeof given === 'string' ? createPublicKey(given) : createPublicKey({ key: given, format: 'jwk' });
  } catch (cause) {
    throw new HoldfastError('USAGE', 'the public key is neither PEM nor JWK', { cause });
  }
}

function openKeySet({ jwks }: KeySet): KeySource {
  if (!Array.isArray(jwks?.keys)) throw new HoldfastError('USAGE', 'a key set is {keys: [...]}');
  const algorithms = new Set<Algorithm>();
  for (const jwk of jwks.keys.filter(({ use }) => use !== 'enc')) {
    for (const name of algorithmsOfPublic(importPublic(jwk), jwk)) algorithms.add(name);
  }
  if (algorithms.size === 0) throw new HoldfastError('USAGE', 'the key set has no key with which a signature could be checked');
  return { algorithms: [...algorithms], find: findIn(createLocalJWKSet(jwks as JSONWebKeySet)) };
}

type Resolve = (header: JWSHeaderParameters) => Promise<CryptoKey>;

function findIn(resolve: Resolve): KeySource['find'] {
  return async (header) => {
    const found = await keysOf(resolve, header);
    return found.filter((key) => isAlgorithm(header.alg) && algorithmsOfKey(KeyObject.from(key)).includes(header.alg));
  };
}

async function keysOf(resolve: Resolve, header: JWSHeaderParameters): Promise<CryptoKey[]> {
  try {
    return [await resolve(header)];
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return [];
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    const keys: CryptoKey[] = [];
    for await (const key of error) if (keys.push(key) === MATCHES_MAX) break;
    return keys;
  }
}
