/** The signature algorithms that tokens may have, and which keys each of them fits (RFC 7518 section 3.1, RFC 8037). `none` is not among them. */

import type { KeyObject } from 'node:crypto';

/** A signature algorithm, as the header of a token names it. */
export type Algorithm =
  | 'HS256'
  | 'HS384'
  | 'HS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'EdDSA'
  | 'Ed25519';

/** An algorithm of secrets, and the shortest secret that it may have, bytes (RFC 7518 section 3.2). */
const SECRET_BYTES_MIN = { HS256: 32, HS384: 48, HS512: 64 } as const;
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
const RSA_BITS_MIN = 2048;
const CURVES: Readonly<Record<string, readonly Algorithm[]>> = { prime256v1: ['ES256'], secp384r1: ['ES384'] };
const ED25519 = ['EdDSA', 'Ed25519'] as const;

/** The algorithms of public keys. */
export const PUBLIC_KEY_ALGORITHMS: readonly Algorithm[] = [...RSA, ...Object.values(CURVES).flat(), ...ED25519];

const ALL: readonly string[] = [...Object.keys(SECRET_BYTES_MIN), ...PUBLIC_KEY_ALGORITHMS];

export function isAlgorithm(value: unknown): value is Algorithm {
  return typeof value === 'string' && ALL.includes(value);
}

/** What a secret of so many bytes may be used for; nothing if it is shorter than 32. */
export function algorithmsOfSecret(bytes: number): readonly Algorithm[] {
  return (Object.keys(SECRET_BYTES_MIN) as (keyof typeof SECRET_BYTES_MIN)[]).filter((name) => bytes >= SECRET_BYTES_MIN[name]);
}

/** What a public or private key may be used for; nothing if it is of an unknown kind or too weak (RSA below 2048 bits). */
export function algorithmsOfKey(key: KeyObject): readonly Algorithm[] {
  const details = key.asymmetricKeyDetails;
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return (details?.modulusLength ?? 0) >= RSA_BITS_MIN ? RSA : [];
    case 'ec':
      return CURVES[details?.namedCurve ?? ''] ?? [];
    case 'ed25519':
      return ED25519;
    default:
      return [];
  }
}
