/** The limits that a server announces in `welcome` (PROTOCOL.md HF-12), with their defaults. */

export interface Limits {
  /** The largest frame either way, bytes. */
  readonly frameBytesMax: number;
  /** W: unanswered publishes per topic and producer, and outcomes kept for them. */
  readonly inFlightMax: number;
  /** Subscriptions in one `hello`. */
  readonly topicsPerFrameMax: number;
  /** Subscriptions of one connection. */
  readonly subscriptionsMax: number;
  /** Entries in one atomic publish. */
  readonly entriesPerPublishMax: number;
  /** Entries in one answer to `read`. */
  readonly readCountMax: number;
  /** Unanswered `read`, `call`, `register`, `auth` and `subscribe` requests of one connection. */
  readonly requestsMax: number;
  /** Nesting of JSON, levels. */
  readonly depthMax: number;
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
  queueBytesMax: 1_048_576,
  producerSilenceMs: 2_592_000_000,
};

/** One sentence per limit, for the reference page: what it bounds and what happens when it is reached. */
export const LIMIT_MEANINGS: Readonly<Record<keyof Limits, string>> = {
  frameBytesMax: 'The largest frame, bytes. Larger: close 1009.',
  inFlightMax: 'W: unanswered publishes per topic and producer, and outcomes kept. More: `TOO_MANY_IN_FLIGHT`.',
  topicsPerFrameMax: 'Subscriptions in one `hello`. More: `BAD_FRAME`.',
  subscriptionsMax: 'Subscriptions of one connection. More: `TOO_MANY_SUBSCRIPTIONS`.',
  entriesPerPublishMax: 'Entries in one atomic publish. More: `BAD_FRAME`.',
  readCountMax: 'Entries in one answer to `read`. A larger `limit` is clipped.',
  requestsMax: 'Unanswered requests of one connection. More: `TOO_MANY_IN_FLIGHT`.',
  depthMax: 'Nesting of JSON, levels. More: `TOO_DEEP`.',
  queueBytesMax: 'Bytes that the server holds for a slow connection. More: its cursors stop until it drains.',
  producerSilenceMs: 'Silence after which a producer is forgotten, ms. Later: `PRODUCER_UNKNOWN`.',
};
