/** API keys: how back ends say who they are, over HTTP or a socket. Only their hashes are kept. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Identity } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { CAPABILITY_CLAIM, parseCapabilities, type Capabilities } from './capability.ts';
import { SERVER_PREFIX } from './subject.ts';
import { TICKET_PREFIX } from './ticket.ts';
import { TOKEN_LENGTH_MAX } from './token-text.ts';

/** One key of a back end. While a key is being changed two may have the same name. */
export interface ApiKey {
  /** 1 to 64 letters, digits, `.`, `_`, `-`; its subject is `server:NAME`. */
  readonly name: string;
  /** The key itself, 32 characters at least, such as `generateSecret()` makes. This or `sha256`. */
  readonly key?: string;
  /** The SHA-256 of the key in hexadecimal, so that no configuration has the key. */
  readonly sha256?: string;
  /** Default: everything, what begins with `holdfast/` included. */
  readonly capabilities?: Capabilities;
}

/** The identity of a key, the same object at every call; `undefined` if it is none. */
export type ApiKeys = (key: string) => Identity | undefined;

const KEY_LENGTH_MIN = 32;
/**
 * A key is good for as long as the configuration has it, so none was issued before any time: who signs everybody out must not
 * lock out the back ends, since only they can take that back.
 */
const ISSUED_AT_MS = Number.MAX_SAFE_INTEGER;
const EVERYTHING: Capabilities = { '*': ['*'], 'holdfast/*': ['*'] };

/** Throws `USAGE` for a short key, a hash that is none, a name or capabilities with a mistake, and for two equal keys. */
export function createApiKeys(keys: readonly ApiKey[], { claim = CAPABILITY_CLAIM }: { readonly claim?: string } = {}): ApiKeys {
  const known = keys.map((key) => ({ hash: hashOf(key), identity: identityOf(key, claim) }));
  if (new Set(known.map(({ hash }) => hash.toString('hex'))).size < known.length)
    throw new HoldfastError('USAGE', 'two API keys are equal');
  return (key) => {
    if (key.length > TOKEN_LENGTH_MAX) return undefined;
    const hash = sha256(key);
    let found: Identity | undefined;
    // All are compared: how long it takes does not say which one it was, or how much of it was right.
    for (const one of known) if (timingSafeEqual(one.hash, hash)) found = one.identity;
    return found;
  };
}

function hashOf({ name, key, sha256: hash }: ApiKey): Buffer {
  const place = `the API key "${String(name).slice(0, 64)}"`;
  if ((key === undefined) === (hash === undefined)) throw new HoldfastError('USAGE', `${place} must have either key or sha256`);
  if (key === undefined) {
    if (!/^[0-9a-f]{64}$/i.test(hash!)) throw new HoldfastError('USAGE', `the sha256 of ${place} is not 64 hexadecimal digits`);
    return Buffer.from(hash!, 'hex');
  }
  if (key.length < KEY_LENGTH_MIN || key.length > TOKEN_LENGTH_MAX) {
    throw new HoldfastError('USAGE', `${place} has ${key.length} characters; at least ${KEY_LENGTH_MIN} are needed`, {
      hint: 'Make one with `generateSecret()`.',
    });
  }
  if (key.startsWith(TICKET_PREFIX)) throw new HoldfastError('USAGE', `${place} begins with "${TICKET_PREFIX}", as tickets do`);
  return sha256(key);
}

function identityOf({ name, capabilities = EVERYTHING }: ApiKey, claim: string): Identity {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) {
    throw new HoldfastError('USAGE', 'the name of an API key has 1 to 64 letters, digits, ".", "_" and "-"');
  }
  parseCapabilities(capabilities);
  return { subject: SERVER_PREFIX + name, claims: { [claim]: capabilities }, issuedAtMs: ISSUED_AT_MS };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
