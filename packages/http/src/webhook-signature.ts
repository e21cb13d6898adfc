/**
 * Signatures of webhooks (Standard Webhooks 1.0.0): HMAC-SHA256 over `id.timestamp.body`. Both sides: Holdfast signs, a back
 * end in TypeScript verifies.
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { systemClock, type Clock } from '@holdfast/server';
import { HoldfastError, parseJson } from '@holdfast/wire';
import type { WebhookRequest } from './webhook-message.ts';

const SECRET_PREFIX = 'whsec_';
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;
const VERSION = 'v1';
const TOLERANCE_MS = 300_000;
/** Signatures in one header that are looked at. */
const SIGNATURES_MAX = 16;
const ID_LENGTH_MAX = 256;
const DEPTH_MAX = 128;

/** `whsec_` and base64, as Standard Webhooks has it. Several while one is being changed: any of them verifies, all of them sign. */
export type WebhookSecret = string | readonly string[];

/** Headers of a request, of any case: those of Node, or of a `Request`. */
export type WebhookHeaders = Readonly<Record<string, string | readonly string[] | undefined>> | { get(name: string): string | null };

export interface VerifyWebhookOptions {
  readonly secret: WebhookSecret;
  readonly headers: WebhookHeaders;
  /** The body as it came, byte for byte. */
  readonly body: string | Uint8Array;
  /** How far the time of the request may be from now, either way, ms. Default 300,000. */
  readonly toleranceMs?: number;
  /**
   * Asked with the id of a request whose signature is right: whether it is seen for the first time within the last
   * `toleranceMs` twice over. `false` refuses it as a replay. Default: within the tolerance a request may come again.
   */
  readonly isNew?: (id: string) => boolean;
  readonly clock?: Pick<Clock, 'now'>;
}

/** The keys of a secret. Throws `USAGE`, never repeating it. */
export function parseWebhookSecret(secret: WebhookSecret): readonly Buffer[] {
  const texts = typeof secret === 'string' ? [secret] : secret;
  if (texts.length === 0) throw badSecret();
  return texts.map((text) => {
    const encoded = text.startsWith(SECRET_PREFIX) ? text.slice(SECRET_PREFIX.length) : '';
    const key = Buffer.from(encoded, 'base64');
    const isEncoded = /^[A-Za-z0-9+/]+={0,2}$/.test(encoded);
    if (!isEncoded || key.length < SECRET_BYTES_MIN || key.length > SECRET_BYTES_MAX) throw badSecret();
    return key;
  });
}

function badSecret(): HoldfastError {
  const message = `the secret of a webhook is "${SECRET_PREFIX}" and ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes in base64`;
  return new HoldfastError('USAGE', message, { hint: `echo ${SECRET_PREFIX}$(openssl rand -base64 32)` });
}

/** The header `webhook-signature`: one signature for each key. */
export function signWebhook(keys: readonly Buffer[], id: string, timestamp: number, body: string | Uint8Array): string {
  return keys.map((key) => `${VERSION},${hmac(key, id, String(timestamp), body).toString('base64')}`).join(' ');
}

/**
 * What a request of Holdfast asks. Throws `UNAUTHENTICATED` if its signature is of no key, if it is too old or comes from the
 * future, or if it came before; `BAD_JSON` if it holds no JSON; `USAGE` for a secret that is none.
 */
export function verifyWebhook({
  secret,
  headers,
  body,
  toleranceMs = TOLERANCE_MS,
  isNew = () => true,
  clock = systemClock,
}: VerifyWebhookOptions): WebhookRequest {
  const keys = parseWebhookSecret(secret);
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map((name) => headerOf(headers, `webhook-${name}`));
  if (id === undefined || timestamp === undefined || signatures === undefined) throw refusal('a header of the signature is missing');
  if (id.length > ID_LENGTH_MAX || !/^\d{1,12}$/.test(timestamp)) throw refusal('a header of the signature is malformed');
  const given = signatures.split(' ').slice(0, SIGNATURES_MAX);
  if (!keys.some((key) => isSigned(hmac(key, id, timestamp, body), given))) throw refusal('the signature is not of this secret');
  const offMs = Math.abs(clock.now() - Number(timestamp) * 1_000);
  if (offMs > toleranceMs) throw refusal('the request is too old, or from the future');
  if (!isNew(id)) throw refusal('the request came before');
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  return parseJson(text, DEPTH_MAX, Infinity) as unknown as WebhookRequest;
}

function isSigned(expected: Buffer, given: readonly string[]): boolean {
  return given.some((signature) => {
    const [version, encoded = ''] = signature.split(',', 2);
    const bytes = Buffer.from(encoded, 'base64');
    return version === VERSION && bytes.length === expected.length && timingSafeEqual(bytes, expected);
  });
}

function hmac(key: Buffer, id: string, timestamp: string, body: string | Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
}

function headerOf(headers: WebhookHeaders, name: string): string | undefined {
  if (typeof headers.get === 'function') return (headers as { get(name: string): string | null }).get(name) ?? undefined;
  const found = Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
  return found === undefined ? undefined : String(found);
}

function refusal(message: string): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', message);
}
