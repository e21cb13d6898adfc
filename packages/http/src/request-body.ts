/**
 * A request's body, bounded in size and time while it is read: nothing is held of what is too large, and nobody is waited
 * for who sends it by drops. JSON is checked as frames are (PROTOCOL.md HF-4.1).
 */

import type { IncomingMessage } from 'node:http';
import type { Clock } from '@holdfast/server';
import { HoldfastError, parseJson, type Data, type Json, type Limits } from '@holdfast/wire';
import { HttpRefusal } from './problem.ts';

export interface BodyLimits {
  /** The largest body, bytes. */
  readonly bytesMax: number;
  /** How long the whole of it may take, ms. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>;
}

const FORM_TYPES = new Set(['application/x-www-form-urlencoded', 'multipart/form-data']);

/** Rejects with `TOO_LARGE` (413), with 408 if it takes too long, and with `BAD_FRAME` if the client goes away. */
export function readBody(request: IncomingMessage, { bytesMax, timeoutMs, clock }: BodyLimits): Promise<Buffer> {
  if (hasBodyBeyond(request, bytesMax)) return Promise.reject(tooLarge(bytesMax));
  if (request.destroyed && !request.complete) return Promise.reject(gone());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (): void => {
      clock.clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone);
      // A stream without a listener for it would throw its error.
      request.on('error', () => {});
    };
    const fail = (error: HoldfastError): void => {
      end();
      request.pause();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) return fail(tooLarge(bytesMax));
      chunks.push(chunk);
    };
    const onEnd = (): void => {
      end();
      resolve(Buffer.concat(chunks, bytes));
    };
    const onGone = (): void => fail(gone());
    const tooSlow = (): void => fail(new HttpRefusal(408, 'BAD_FRAME', `the body took longer than ${timeoutMs} ms`));
    const timer = clock.setTimeout(tooSlow, timeoutMs);
    request.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone);
  });
}

/** Whether more may come than is worth reading to the end, so that the connection is better closed. */
export function hasBodyBeyond({ headers }: Pick<IncomingMessage, 'headers'>, bytesMax: number): boolean {
  return Number(headers['content-length'] ?? 0) > bytesMax;
}

/** The media type of a request, in lower case and without parameters; empty if it names none. */
export function mediaTypeOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

/** Throws 415 for a body that is compressed. */
export function assertPlain({ headers }: Pick<IncomingMessage, 'headers'>): void {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding.trim().toLowerCase() !== 'identity') throw new HttpRefusal(415, 'USAGE', 'a body must not be compressed');
}

/**
 * A payload (HF-1.6): JSON if the type says so, else the bytes as they are. Throws what `parseJson` throws, and 415 for the
 * types of forms, which clients send when nobody thought of a type.
 */
export function payloadOf(type: string, bytes: Buffer, limits: Pick<Limits, 'depthMax' | 'keysMax'>): Data {
  // A frame's own object is the first level.
  if (isJsonType(type)) return parseText(bytes, limits.depthMax - 1, limits.keysMax);
  if (!FORM_TYPES.has(type)) return bytes;
  throw new HttpRefusal(415, 'USAGE', `a payload is not of the type ${type}`, {
    hint: 'Send "Content-Type: application/json" for JSON, or "application/octet-stream" for bytes.',
  });
}

/** The JSON of a request that is none of a payload. Throws 415 for another type. */
export function jsonOf(type: string, bytes: Buffer, { depthMax, keysMax }: Pick<Limits, 'depthMax' | 'keysMax'>): Json {
  if (!isJsonType(type)) {
    throw new HttpRefusal(415, 'USAGE', 'the body must be JSON', { hint: 'Send "Content-Type: application/json".' });
  }
  return parseText(bytes, depthMax, keysMax);
}

function isJsonType(type: string): boolean {
  return type === 'application/json' || /^application\/[\w.!#$&^-]+\+json$/.test(type);
}

function parseText(bytes: Buffer, depthMax: number, keysMax: number): Json {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HoldfastError('BAD_JSON', 'the body is not UTF-8');
  }
  return parseJson(text, depthMax, keysMax);
}

function gone(): HoldfastError {
  return new HoldfastError('BAD_FRAME', 'the body ended before its end');
}

function tooLarge(bytesMax: number): HoldfastError {
  return new HttpRefusal(413, 'TOO_LARGE', `a body of more than ${bytesMax} bytes`, { headers: { connection: 'close' } });
}
