/**
 * What a webhook asks, and what a back end may answer. Answers are read strictly: what is none is a fault of the back end,
 * never a yes. As on the wire, times are ms since 1970 and bytes are base64 (PROTOCOL.md HF-1).
 */

import type { Action, Grant, Identity } from '@holdfast/server';
import { decodeBase64, encodeBase64, isJsonObject, type Data, type Json } from '@holdfast/wire';

/** What a back end can be asked: who connects, whether an action is allowed, what becomes of a publish. */
export type WebhookEvent = 'connect' | Action;

/** Somebody, as a webhook tells of him. */
export interface WebhookIdentity {
  readonly subject: string;
  readonly claims?: Json;
  readonly credentialId?: string;
  readonly expiresAt?: number;
}

/** One payload: JSON or bytes. */
export type WebhookItem = { readonly data: Json } | { readonly bytes: string };

/** The body of each request, by `type`. `timestamp` is ISO 8601. */
export type WebhookRequest =
  | {
      readonly type: 'connect';
      readonly timestamp: string;
      readonly data: {
        /** Only where the server was told to send it. */
        readonly token?: string;
        readonly client: string;
        readonly address: string;
        /** Without the query. */
        readonly path: string;
        /** Those that the server was told to send. */
        readonly headers: Readonly<Record<string, string>>;
      };
    }
  | {
      readonly type: 'publish';
      readonly timestamp: string;
      readonly data: { readonly identity: WebhookIdentity; readonly topic: string; readonly items: readonly WebhookItem[] };
    }
  | {
      readonly type: Exclude<Action, 'publish'>;
      readonly timestamp: string;
      /** For `call`, `topic` is the name of the method; `key` is that of a register. */
      readonly data: { readonly identity: WebhookIdentity; readonly topic: string; readonly key?: string };
    };

/** The answer to `connect`: 200 with this; or 401 or 403, with `{message}` if the client shall know why. */
export interface ConnectAnswer {
  readonly subject: string;
  readonly claims?: Json;
  readonly expiresAt?: number;
  readonly credentialId?: string;
  readonly issuedAt?: number;
}

/** The answer to an action: 200 with this. `floor` and `until` bound the right; until `until` it is not asked for again. */
export type ActionAnswer =
  | { readonly allow: true; readonly floor?: number; readonly until?: number }
  | { readonly allow: false; readonly message?: string };

/** The answer to `publish`: 200 with this. `items` take the place of those that were sent. */
export type PublishAnswer =
  | { readonly allow: true; readonly items?: readonly WebhookItem[] }
  | { readonly allow: false; readonly message?: string };

/** What is wrong with an answer, without what it holds. */
export class WrongAnswer extends Error {
  override name = 'WrongAnswer';
}

/** How much of a back end's message a client is told, characters. */
const MESSAGE_LENGTH_MAX = 500;
const ID_LENGTH_MAX = 256;

/** An identity as it is told. */
export function identityFacts({ subject, claims, credentialId, expiresAtMs }: Identity): WebhookIdentity {
  return {
    subject,
    ...(claims === undefined ? {} : { claims: claims as Json }),
    ...(credentialId === undefined ? {} : { credentialId }),
    ...(expiresAtMs === undefined ? {} : { expiresAt: expiresAtMs }),
  };
}

export function itemOf(data: Data): WebhookItem {
  return data instanceof Uint8Array ? { bytes: encodeBase64(data) } : { data };
}

/** Throws `WrongAnswer`. */
export function parseConnect(answer: Json): Identity {
  const { subject, claims, expiresAt, credentialId, issuedAt } = objectOf(answer);
  if (!isText(subject)) throw new WrongAnswer('"subject" is not a string of 1 to 256 characters');
  if (credentialId !== undefined && !isText(credentialId)) throw new WrongAnswer('"credentialId" is not a string of 1 to 256 characters');
  return {
    subject,
    ...(claims === undefined ? {} : { claims }),
    ...(expiresAt === undefined ? {} : { expiresAtMs: numberOf('expiresAt', expiresAt) }),
    ...(credentialId === undefined ? {} : { credentialId }),
    ...(issuedAt === undefined ? {} : { issuedAtMs: numberOf('issuedAt', issuedAt) }),
  };
}

/** What is allowed; or why not, as a client is told, empty if nothing was said. */
export type Verdict<Allowed> = { readonly allowed: Allowed } | { readonly message: string };

/** Throws `WrongAnswer`. */
export function parseAction(answer: Json): Verdict<Grant> {
  const fields = objectOf(answer);
  const refused = refusalIn(fields);
  if (refused !== undefined) return refused;
  const { floor, until } = fields;
  return {
    allowed: {
      ...(floor === undefined ? {} : { floor: numberOf('floor', floor) }),
      ...(until === undefined ? {} : { untilMs: numberOf('until', until) }),
    },
  };
}

/** Throws `WrongAnswer`. */
export function parsePublish(answer: Json): Verdict<readonly Data[] | undefined> {
  const fields = objectOf(answer);
  const refused = refusalIn(fields);
  if (refused !== undefined) return refused;
  const { items } = fields;
  if (items === undefined) return { allowed: undefined };
  if (!Array.isArray(items) || items.length === 0) throw new WrongAnswer('"items" is not a list of one item or more');
  return { allowed: (items as readonly Json[]).map(dataOf) };
}

/** The `message` of any answer; empty without one. */
export function messageIn(answer: Json | undefined): string {
  const message = isJsonObject(answer) ? answer['message'] : undefined;
  return typeof message === 'string' ? message.slice(0, MESSAGE_LENGTH_MAX) : '';
}

function refusalIn(fields: Readonly<Record<string, Json>>): { readonly message: string } | undefined {
  const { allow } = fields;
  if (typeof allow !== 'boolean') throw new WrongAnswer('"allow" is neither true nor false');
  return allow ? undefined : { message: messageIn(fields) };
}

function dataOf(item: Json): Data {
  if (isJsonObject(item)) {
    const { data, bytes } = item;
    if (data !== undefined && bytes === undefined) return data;
    if (typeof bytes === 'string' && data === undefined) return bytesOf(bytes);
  }
  throw new WrongAnswer('an item has neither "data" nor "bytes"');
}

function bytesOf(text: string): Uint8Array {
  try {
    return decodeBase64(text);
  } catch (cause) {
    throw new WrongAnswer('the "bytes" of an item are not base64', { cause });
  }
}

function objectOf(answer: Json): Readonly<Record<string, Json>> {
  if (isJsonObject(answer)) return answer;
  throw new WrongAnswer('the answer is not a JSON object');
}

function isText(value: Json | undefined): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= ID_LENGTH_MAX;
}

function numberOf(field: string, value: Json): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new WrongAnswer(`"${field}" is not a whole number of 0 or more`);
}
