/**
 * Webhooks: the hooks of a hub as questions to a back end over HTTP, for applications in any language. A back end that does
 * not answer loses nothing: what it was asked about is refused as retryable, and clients send it again in order
 * (PROTOCOL.md HF-6.6).
 */

import { createHash } from 'node:crypto';
import {
  systemClock,
  type Authenticate,
  type Authorize,
  type BeforePublish,
  type Clock,
  type Credentials,
  type Grant,
  type Identity,
  type Question,
} from '@holdfast/server';
import { HoldfastError, type Data, type Json } from '@holdfast/wire';
import { GrantCache, type Answered } from './grant-cache.ts';
import { WebhookCaller, WebhookFault, type FaultKind, type WebhookAnswer, type WebhookFetch } from './webhook-caller.ts';
import {
  identityFacts,
  itemOf,
  messageIn,
  parseAction,
  parseConnect,
  parsePublish,
  WrongAnswer,
  type Verdict,
  type WebhookEvent,
} from './webhook-message.ts';
import { parseWebhookSecret, type WebhookSecret } from './webhook-signature.ts';
import { assertAddresses } from './webhook-address.ts';

/** What happens without an answer: `closed` refuses as retryable, `open` lets pass. */
export type FailureMode = 'closed' | 'open';

export interface WebhooksOptions {
  /** Where to ask: one address for all events, or one for each. `https:`, or `http:` on this machine. */
  readonly url: string | Readonly<Partial<Record<WebhookEvent, string>>>;
  /** Signs every request; `whsec_` and 24 to 64 bytes in base64. Several while one is being changed. */
  readonly secret: WebhookSecret;
  /** What to ask about; other actions are allowed without asking. Default: those of `url`, or `connect`, `subscribe` and `publish`. */
  readonly events?: readonly WebhookEvent[];
  /** For one question, waiting for a place included, ms. Default 3,000. */
  readonly timeoutMs?: number;
  /** Without an answer, for all events or for each. `connect` cannot be `open`: it would not be known who it is. Default `closed`. */
  readonly onFailure?: FailureMode | Readonly<Partial<Record<WebhookEvent, FailureMode>>>;
  /** Questions at a time; half as many again about `connect`, which anybody can cause, in places of their own. Default 64. */
  readonly concurrencyMax?: number;
  /** Questions that wait for a place, and half as many about `connect`; more fail at once. Default 1,000. */
  readonly waitingMax?: number;
  /** Tells `connect` the token of the first frame, too. Default `false`. */
  readonly sendToken?: boolean;
  /** Names of headers of the upgrade that `connect` is told. Default: none. */
  readonly headers?: readonly string[];
  /** For how long a grant without `until` is not asked for again, ms; 0: each time. Default 10,000. */
  readonly grantMs?: number;
  /** Grants that are kept. Default 10,000. */
  readonly grantsMax?: number;
  /** The largest answer, bytes. Default 1,048,576. */
  readonly answerBytesMax?: number;
  /** Also asks over `http:` on other machines: for a network that is trusted. Default `false`. */
  readonly insecure?: boolean;
  /** Is told of each question without an answer: for logs. Never a token, a payload or an address. */
  readonly onFault?: (facts: WebhookFaultFacts) => void;
  readonly clock?: Clock;
  readonly fetch?: WebhookFetch;
}

/** A question that got no answer. */
export interface WebhookFaultFacts {
  readonly event: WebhookEvent;
  readonly kind: FaultKind;
  readonly message: string;
  /** What was made of it. */
  readonly mode: FailureMode;
  readonly durationMs: number;
}

export interface Webhooks {
  /** For `EndpointOptions.authenticate`. Without the event `connect` it lets nobody in. */
  readonly authenticate: Authenticate;
  /** For `EndpointOptions.authorize`. To publish is always allowed here where `beforePublish` asks about it. */
  readonly authorize: Authorize;
  /** For `TopicRule.beforePublish` of every rule: asks the event `publish`. */
  readonly beforePublish: BeforePublish;
  /** Forgets the grants of a subject, or all: before `hub.recheck`, which then asks again. */
  forget(subject?: string): void;
}

const DEFAULT_EVENTS: readonly WebhookEvent[] = ['connect', 'subscribe', 'publish'];
const RETRY_AFTER_MS = 1_000;
/** The places for `connect`, as a part of those for everything else. */
const CONNECT_SHARE = 1 / 2;

/** Throws `USAGE` for an address, a secret or an event that cannot be. */
export function createWebhooks(options: WebhooksOptions): Webhooks {
  const { url, clock = systemClock, sendToken = false, headers: headerNames = [], onFault = () => {} } = options;
  const events = new Set(options.events ?? (typeof url === 'string' ? DEFAULT_EVENTS : (Object.keys(url) as WebhookEvent[])));
  assertAddresses(url, events, options.insecure ?? false);
  const modeOf = (event: WebhookEvent): FailureMode =>
    (typeof options.onFailure === 'object' ? options.onFailure[event] : options.onFailure) ?? 'closed';
  if (events.has('connect') && modeOf('connect') === 'open') {
    throw new HoldfastError('USAGE', 'onFailure of "connect" cannot be "open": it would not be known who it is', {
      hint: 'Give it by event: { subscribe: "open" }.',
    });
  }
  const { concurrencyMax = 64, waitingMax = 1_000 } = options;
  const keys = parseWebhookSecret(options.secret);
  const callerOf = (share: number): WebhookCaller =>
    new WebhookCaller({
      urlOf: (event) => (typeof url === 'string' ? url : url[event]!),
      keys,
      timeoutMs: options.timeoutMs ?? 3_000,
      answerBytesMax: options.answerBytesMax ?? 1_048_576,
      concurrencyMax: Math.ceil(concurrencyMax * share),
      waitingMax: Math.ceil(waitingMax * share),
      clock,
      fetch: options.fetch ?? fetch,
    });
  const caller = callerOf(1);
  // Who has no credentials must not use up the places of those who have.
  const connectCaller = callerOf(CONNECT_SHARE);
  const grants = new GrantCache({ clock, grantMs: options.grantMs ?? 10_000, countMax: options.grantsMax ?? 10_000 });

  /** The answer as `read` makes it; without one, `open` if that may be, else a retryable refusal. */
  async function ask<Result>(event: WebhookEvent, data: object, read: (answer: WebhookAnswer) => Result, open?: Result): Promise<Result> {
    const beganAtMs = clock.now();
    try {
      return read(await (event === 'connect' ? connectCaller : caller).ask(event, data));
    } catch (error) {
      if (!(error instanceof WebhookFault) && !(error instanceof WrongAnswer)) throw error;
      const kind = error instanceof WebhookFault ? error.kind : 'answer';
      const mode = modeOf(event);
      onFault({ event, kind, message: error.message, mode, durationMs: Math.max(0, clock.now() - beganAtMs) });
      if (mode === 'open' && open !== undefined) return open;
      throw refusalOf(event, kind, error instanceof WebhookFault ? error.retryAfterMs : undefined);
    }
  }

  const authenticate = (credentials: Credentials): Promise<Identity> => {
    if (!events.has('connect')) throw new HoldfastError('USAGE', 'no webhook is asked who connects: "connect" is not in events');
    return ask('connect', connectFacts(credentials, sendToken, headerNames), readConnect);
  };

  const authorize = (question: Question): boolean | Grant | Promise<boolean | Grant> => {
    const { action, identity } = question;
    if (action === 'publish' || !events.has(action)) return true;
    const { topic, key } = question;
    const data = { identity: identityFacts(identity), topic, ...(key === undefined ? {} : { key }) };
    // What is asked is what the grant is for: the same subject with other claims is another question.
    const digest = createHash('sha256')
      .update(JSON.stringify([action, data]))
      .digest('base64');
    return grants.get(digest, identity.subject, () => ask<Answered>(action, data, readAction, OPEN));
  };

  const beforePublish: BeforePublish = async ({ topic, identity, items }) => {
    if (!events.has('publish')) return undefined;
    const data = { identity: identityFacts(identity), topic, items: items.map(itemOf) };
    const { allowed } = await ask<{ readonly allowed: readonly Data[] | undefined }>('publish', data, readPublish, { allowed: undefined });
    return allowed;
  };

  return { authenticate, authorize, beforePublish, forget: (subject) => grants.forget(subject) };
}

/** What a webhook that fails open gives: for this once. */
const OPEN: Answered = { grant: {}, isKept: false };

function connectFacts({ token, client, address, url, headers }: Credentials, sendToken: boolean, headerNames: readonly string[]): object {
  const told = headerNames.flatMap((name) => {
    const value = headers[name.toLowerCase()];
    return value === undefined ? [] : [[name.toLowerCase(), String(value)] as const];
  });
  return {
    ...(sendToken && token !== undefined ? { token } : {}),
    client,
    address,
    path: url.split('?', 1)[0],
    headers: Object.fromEntries(told),
  };
}

function readConnect({ status, body }: WebhookAnswer): Identity {
  if (status === 200) return parseConnect(body);
  throw new HoldfastError(status === 401 ? 'UNAUTHENTICATED' : 'FORBIDDEN', messageIn(body) || undefined);
}

function readAction(answer: WebhookAnswer): Answered {
  const verdict = verdictOf(answer, parseAction);
  if ('allowed' in verdict) return { grant: verdict.allowed, isKept: true };
  if (verdict.message === '') return { grant: false, isKept: false };
  throw new HoldfastError('FORBIDDEN', verdict.message);
}

function readPublish(answer: WebhookAnswer): { readonly allowed: readonly Data[] | undefined } {
  const verdict = verdictOf(answer, parsePublish);
  if ('allowed' in verdict) return verdict;
  throw new HoldfastError('REFUSED', verdict.message || undefined);
}

function verdictOf<Allowed>({ status, body }: WebhookAnswer, parse: (body: Json) => Verdict<Allowed>): Verdict<Allowed> {
  if (status === 200) return parse(body);
  if (status === 403) return { message: messageIn(body) };
  throw new WrongAnswer(`it answered with the status ${status}`);
}

function refusalOf(event: WebhookEvent, kind: FaultKind, retryAfterMs: number = RETRY_AFTER_MS): HoldfastError {
  const hint = "The server's operator is told why; nothing is lost by sending it again.";
  if (kind === 'answer')
    return new HoldfastError('INTERNAL', `the application answered "${event}" with what is no answer`, { hint, retryAfterMs });
  return new HoldfastError('OVERLOADED', `the application did not answer "${event}"`, { hint, retryAfterMs });
}
