/**
 * Asks a back end over HTTP: signed, within a deadline, so many at a time and no more. It does not know what the questions
 * mean. What goes wrong is a `WebhookFault`, which never holds a token, a payload or an address.
 */

import { randomUUID } from 'node:crypto';
import type { Clock } from '@holdfast/server';
import { parseJson, type Json } from '@holdfast/wire';
import type { WebhookEvent } from './webhook-message.ts';
import { signWebhook } from './webhook-signature.ts';

/** What of `fetch` is used. */
export type WebhookFetch = (
  url: string,
  init: {
    readonly method: 'POST';
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly redirect: 'manual';
    readonly signal: AbortSignal;
  },
) => Promise<Response>;

export interface WebhookCallerOptions {
  readonly urlOf: (event: WebhookEvent) => string;
  readonly keys: readonly Buffer[];
  /** From the question to the end of its answer, waiting for a place included, ms. */
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
  readonly concurrencyMax: number;
  readonly waitingMax: number;
  readonly clock: Clock;
  readonly fetch: WebhookFetch;
}

/** `busy`: too many wait already; `answer`: it was none of those that there are. */
export type FaultKind = 'timeout' | 'unreachable' | 'busy' | 'answer';

/** Why a question has no answer. */
export class WebhookFault extends Error {
  override name = 'WebhookFault';
  readonly kind: FaultKind;
  /** What the back end said of when to ask again, ms. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: FaultKind,
    message: string,
    { retryAfterMs, cause }: { readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** An answer that is one: the body of a refusal may be anything. */
export type WebhookAnswer = { readonly status: 200; readonly body: Json } | { readonly status: 401 | 403; readonly body: Json | undefined };

const DEPTH_MAX = 128;
/** The longest `Retry-After` that is believed, s. */
const RETRY_AFTER_S_MAX = 60;

export class WebhookCaller {
  readonly #options: WebhookCallerOptions;
  readonly #waiting = new Set<() => void>();
  #underway = 0;

  constructor(options: WebhookCallerOptions) {
    this.#options = options;
  }

  /** Rejects with a `WebhookFault`. Throws what `JSON.stringify` throws. */
  async ask(event: WebhookEvent, data: object): Promise<WebhookAnswer> {
    const { clock, timeoutMs } = this.#options;
    const body = JSON.stringify({ type: event, timestamp: new Date(clock.now()).toISOString(), data });
    const deadline = new AbortController();
    const timer = clock.setTimeout(() => deadline.abort(), timeoutMs);
    try {
      await this.#enter(deadline.signal);
      try {
        return await this.#post(event, body, deadline.signal);
      } finally {
        this.#leave();
      }
    } catch (error) {
      if (deadline.signal.aborted) throw new WebhookFault('timeout', `no answer within ${timeoutMs} ms`);
      throw error instanceof WebhookFault ? error : unreachable(error);
    } finally {
      clock.clearTimeout(timer);
    }
  }

  /** Resolves when there is a place. */
  async #enter(signal: AbortSignal): Promise<void> {
    const { concurrencyMax, waitingMax } = this.#options;
    if (this.#underway < concurrencyMax) {
      this.#underway += 1;
      return;
    }
    if (this.#waiting.size >= waitingMax) throw new WebhookFault('busy', `${waitingMax} questions are waiting already`);
    await new Promise<void>((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.delete(begin);
        reject(new WebhookFault('timeout', 'no place'));
      };
      signal.addEventListener('abort', giveUp);
      this.#waiting.add(begin);
    });
  }

  /** The place goes to the next in line. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#underway -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }

  async #post(event: WebhookEvent, body: string, signal: AbortSignal): Promise<WebhookAnswer> {
    const { urlOf, keys, clock, fetch, answerBytesMax } = this.#options;
    const id = `msg_${randomUUID().replaceAll('-', '')}`;
    const timestamp = Math.floor(clock.now() / 1_000);
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signWebhook(keys, id, timestamp, body),
    };
    const response = await fetch(urlOf(event), { method: 'POST', headers, body, redirect: 'manual', signal });
    const { status } = response;
    if (status !== 200 && status !== 401 && status !== 403) {
      await response.body?.cancel();
      throw statusFault(status, response.headers.get('retry-after'));
    }
    const text = await readText(response, answerBytesMax);
    if (status === 200) return { status, body: jsonOf(text) };
    return { status, body: text === '' ? undefined : jsonOrNothing(text) };
  }
}

function statusFault(status: number, retryAfter: string | null): WebhookFault {
  const isBusy = status === 429 || status >= 500;
  if (!isBusy) return new WebhookFault('answer', `it answered with the status ${status}`);
  const seconds = /^\d{1,4}$/.test(retryAfter ?? '') ? Math.min(Number(retryAfter), RETRY_AFTER_S_MAX) : undefined;
  const options = seconds === undefined ? {} : { retryAfterMs: seconds * 1_000 };
  return new WebhookFault('unreachable', `it answered with the status ${status}`, options);
}

async function readText(response: Response, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels what is still to come.
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > bytesMax) throw new WebhookFault('answer', `its answer is larger than ${bytesMax} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The parser's own words hold pieces of what it read, so that they are not repeated. */
function jsonOf(text: string): Json {
  const body = jsonOrNothing(text);
  if (body === undefined) throw new WebhookFault('answer', 'its answer is not JSON that is allowed');
  return body;
}

function jsonOrNothing(text: string): Json | undefined {
  try {
    return parseJson(text, DEPTH_MAX, Infinity);
  } catch {
    return undefined;
  }
}

/** What a failed `fetch` says, without the address: its code, such as `ECONNREFUSED`. */
function unreachable(error: unknown): WebhookFault {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'the request failed';
  return new WebhookFault('unreachable', `it cannot be reached (${code})`);
}
