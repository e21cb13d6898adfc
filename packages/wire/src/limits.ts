/** The limits that a server announces in `welcome` (PROTOCOL.md HF-12), with their defaults and bounds. */

import { HoldfastError } from './error.ts';

export interface Limits {
  /** The largest frame either way, bytes. */
  readonly frameBytesMax: number;
  /** W: unanswered publishes per topic and producer, and outcomes kept for them. */
  readonly inFlightMax: number;
  /** Subscriptions in one `hello`; at least 64, so that a client knows what it may send before `welcome` (HF-3.2). */
  readonly topicsPerFrameMax: number;
  /** Subscriptions of one connection. */
  readonly subscriptionsMax: number;
  /** Entries in one atomic publish. */
  readonly entriesPerPublishMax: number;
  /** Entries in one answer to `read`. */
  readonly readCountMax: number;
  /** Unanswered `read`, `call`, `register`, `auth` and `subscribe` requests of one connection. */
  readonly requestsMax: number;
  /** Nesting of JSON, levels of objects and arrays; a frame's own object is the first. */
  readonly depthMax: number;
  /** Keys of objects and items of arrays in one JSON frame, together. A server that does not announce it has no such bound. */
  readonly keysMax: number;
  /** What the server holds for a slow connection before its cursors stop, bytes. */
  readonly queueBytesMax: number;
  /** How long a silent producer is remembered, ms. */
  readonly producerSilenceMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  frameBytesMax: 262_144,
  inFlightMax: 64,
  topicsPerFrameMax: 256,
  subscriptionsMax: 1_024,
  entriesPerPublishMax: 256,
  readCountMax: 1_000,
  requestsMax: 256,
  depthMax: 32,
  keysMax: 16_384,
  queueBytesMax: 1_048_576,
  producerSilenceMs: 2_592_000_000,
};

/** The largest `depthMax` that a server may have: clients refuse what is nested much deeper. */
export const DEPTH_LIMIT_MAX = 120;

/** Why a limit may not be smaller, as the end of a sentence. */
const REASONS: Readonly<Partial<Record<keyof Limits, string>>> = {
  // With ids that are integers and a token of 2 kB. New subscriptions with short names take 2 kB, resumed ones 8 kB.
  frameBytesMax: "a message's own fields need room beside its payload; a hello of 64 subscriptions takes up to 32,768 bytes (HF-3.2)",
  topicsPerFrameMax: 'a client sends so many before it knows the limit (HF-3.2)',
  depthMax: 'an atomic publish takes 3 levels beside its payloads',
  // 4 keys of its own; for each subscription an item, 6 keys and the 3 of its position.
  keysMax: 'a hello of 64 subscriptions has 644 keys and items (HF-3.2)',
};
const MINIMA: Readonly<Partial<Record<keyof Limits, number>>> = {
  frameBytesMax: 4_096,
  topicsPerFrameMax: 64,
  depthMax: 8,
  keysMax: 1_024,
};
const MAXIMA: Readonly<Partial<Record<keyof Limits, number>>> = { depthMax: DEPTH_LIMIT_MAX };

/**
 * The defaults with some of them replaced; `undefined` replaces nothing. Throws `USAGE` for a name that is no limit, and
 * for a value that is no integer within its bounds (from 1, unless HF-12 says otherwise); the message says why.
 */
export function limitsWith(changes: { readonly [Name in keyof Limits]?: number | undefined }): Limits {
  const limits: Record<string, number> = { ...DEFAULT_LIMITS };
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) throw new HoldfastError('USAGE', `"${name}" is not a limit`);
    if (value === undefined) continue;
    const min = MINIMA[name as keyof Limits] ?? 1;
    const max = MAXIMA[name as keyof Limits] ?? Number.MAX_SAFE_INTEGER;
    if (!Number.isInteger(value) || value < min || value > max) {
      const reason = value < min ? REASONS[name as keyof Limits] : undefined;
      const because = reason === undefined ? '' : `: ${reason}`;
      throw new HoldfastError('USAGE', `limit "${name}": want an integer from ${min} to ${max}, got ${value}${because}`);
    }
    limits[name] = value;
  }
  return limits as unknown as Limits;
}

/** The least that a limit may be. */
export function limitMinimum(name: keyof Limits): number {
  return MINIMA[name] ?? 1;
}

/** One sentence per limit, for the reference page: what it bounds and what happens when it is reached. */
export const LIMIT_MEANINGS: Readonly<Record<keyof Limits, string>> = {
  frameBytesMax: 'The largest frame, bytes; 4,096 or more. Larger: close 1009.',
  inFlightMax: 'W: unanswered publishes per topic and producer, and outcomes kept. More: `TOO_MANY_IN_FLIGHT`.',
  topicsPerFrameMax: 'Subscriptions in one `hello`; 64 or more. More: `BAD_FRAME`.',
  subscriptionsMax: 'Subscriptions of one connection. More: `TOO_MANY_SUBSCRIPTIONS`.',
  entriesPerPublishMax: 'Entries in one atomic publish. More: `BAD_FRAME`.',
  readCountMax: 'Entries in one answer to `read`. A larger `limit` is clipped.',
  requestsMax: 'Unanswered requests of one connection. More: `TOO_MANY_IN_FLIGHT`.',
  depthMax: 'Nesting of JSON: levels of objects and arrays, the frame being the first; 8 to 120. More: `TOO_DEEP`.',
  keysMax: 'Keys of objects plus items of arrays in one JSON frame of a client; 1,024 or more. More: `TOO_MANY_KEYS`.',
  queueBytesMax: 'Bytes that the server holds for a slow connection. More: its cursors stop until it drains.',
  producerSilenceMs: 'Silence after which a producer is forgotten, ms. Later: `PRODUCER_UNKNOWN`.',
};
