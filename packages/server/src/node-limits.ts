/**
 * The limits of a node that no client need know: what may come in, how fast, and how much of the machine it may take.
 * Those that clients are told are the wire's (PROTOCOL.md HF-12). One table: docs/limits.md, the metrics and the checks
 * are made from it.
 */

import { DEFAULT_LIMITS, HoldfastError, limitsWith, type ErrorCode, type Limits } from '@holdfast/wire';

export interface NodeLimits {
  readonly acceptsPerSecond: number;
  readonly addressAcceptsPerSecond: number;
  readonly connectionsMax: number;
  readonly pendingConnectionsMax: number;
  readonly addressConnectionsMax: number;
  readonly subjectConnectionsMax: number;
  readonly helloTimeoutMs: number;
  readonly helloBytesMax: number;
  readonly connectionPublishesPerSecond: number;
  readonly subjectPublishesPerSecond: number;
  readonly addressPublishesPerSecond: number;
  readonly connectionBytesPerSecond: number;
  readonly subjectBytesPerSecond: number;
  readonly addressBytesPerSecond: number;
  readonly connectionSubscribesPerSecond: number;
  readonly subjectSubscribesPerSecond: number;
  readonly addressSubscribesPerSecond: number;
  readonly connectionRequestsPerSecond: number;
  readonly subjectRequestsPerSecond: number;
  readonly addressRequestsPerSecond: number;
  readonly burstMs: number;
  readonly refusalsPerSecond: number;
  readonly membersMax: number;
  readonly registersMax: number;
  readonly registersBytesMax: number;
  readonly replayPagesMax: number;
  readonly unansweredPublishesMax: number;
  readonly unansweredBytesMax: number;
  readonly hookTimeoutMs: number;
  readonly memoryBytesMax: number;
}

/** The name of a limit, as options, metrics and events have it. */
export type LimitName = keyof NodeLimits | keyof Limits;

/** One row of the table. */
export interface NodeLimitRow {
  /** `Infinity`: none, unless `defaultText` says otherwise. */
  readonly default: number;
  /** What stands for the default in documents, where the machine decides it. */
  readonly defaultText?: string;
  readonly min: number;
  /** Whom it bounds. */
  readonly scope: 'node' | 'address' | 'subject' | 'connection' | 'topic';
  /** What it bounds, and its unit. */
  readonly meaning: string;
  /** What happens when it is reached. */
  readonly reached: string;
  /** What a client is told; `undefined` where it is told nothing. */
  readonly code: ErrorCode | undefined;
}

const RETRY = 'Refused with `retryAfterMs`; the client sends it again, in order.';

// oxfmt-ignore
export const NODE_LIMITS: Readonly<Record<keyof NodeLimits, NodeLimitRow>> = {
  acceptsPerSecond: { default: 2_000, min: 1, scope: 'node', code: 'OVERLOADED', meaning: 'New connections per second.', reached: 'HTTP 503 with `Retry-After` instead of the upgrade.' },
  addressAcceptsPerSecond: { default: 200, min: 1, scope: 'address', code: 'OVERLOADED', meaning: 'New connections per second from one address.', reached: 'HTTP 503 with `Retry-After` instead of the upgrade.' },
  connectionsMax: { default: 50_000, min: 1, scope: 'node', code: 'TOO_MANY_CONNECTIONS', meaning: 'Connections.', reached: 'HTTP 503 with `Retry-After` instead of the upgrade.' },
  pendingConnectionsMax: { default: 5_000, min: 1, scope: 'node', code: 'OVERLOADED', meaning: 'Connections of which it is not known yet who they are.', reached: 'HTTP 503 with `Retry-After` instead of the upgrade.' },
  addressConnectionsMax: { default: 5_000, min: 1, scope: 'address', code: 'TOO_MANY_CONNECTIONS', meaning: 'Connections from one address; a /64 of IPv6 counts as one.', reached: 'Told, and closed with 4100.' },
  subjectConnectionsMax: { default: 100, min: 1, scope: 'subject', code: 'TOO_MANY_CONNECTIONS', meaning: 'Connections of one subject.', reached: 'The new one is told, and closed with 4100.' },
  helloTimeoutMs: { default: 10_000, min: 1, scope: 'connection', code: 'HELLO_TIMEOUT', meaning: 'Time from the upgrade to who it is, ms.', reached: 'Told, and closed with 4203.' },
  helloBytesMax: { default: 131_072, min: 4_096, scope: 'connection', code: 'TOO_LARGE', meaning: 'Bytes that may come before it is known who it is.', reached: 'Closed with 1009.' },
  connectionPublishesPerSecond: { default: 2_000, min: 1, scope: 'connection', code: 'RATE_LIMITED', meaning: 'Entries published per second.', reached: RETRY },
  subjectPublishesPerSecond: { default: 4_000, min: 1, scope: 'subject', code: 'RATE_LIMITED', meaning: 'Entries published per second.', reached: RETRY },
  addressPublishesPerSecond: { default: 50_000, min: 1, scope: 'address', code: 'RATE_LIMITED', meaning: 'Entries published per second.', reached: RETRY },
  connectionBytesPerSecond: { default: 2_097_152, min: 1_024, scope: 'connection', code: 'RATE_LIMITED', meaning: 'Bytes received per second.', reached: RETRY },
  subjectBytesPerSecond: { default: 4_194_304, min: 1_024, scope: 'subject', code: 'RATE_LIMITED', meaning: 'Bytes received per second.', reached: RETRY },
  addressBytesPerSecond: { default: 67_108_864, min: 1_024, scope: 'address', code: 'RATE_LIMITED', meaning: 'Bytes received per second.', reached: RETRY },
  connectionSubscribesPerSecond: { default: 1_000, min: 1, scope: 'connection', code: 'RATE_LIMITED', meaning: 'Subscriptions begun per second after the `hello`.', reached: 'Refused with `retryAfterMs`.' },
  subjectSubscribesPerSecond: { default: 2_000, min: 1, scope: 'subject', code: 'RATE_LIMITED', meaning: 'Subscriptions begun per second, those of a `hello` included.', reached: 'Refused with `retryAfterMs`; those of a `hello` count and are never refused.' },
  addressSubscribesPerSecond: { default: 50_000, min: 1, scope: 'address', code: 'RATE_LIMITED', meaning: 'Subscriptions begun per second.', reached: 'Refused with `retryAfterMs`.' },
  connectionRequestsPerSecond: { default: 1_000, min: 1, scope: 'connection', code: 'RATE_LIMITED', meaning: 'Signals, presence, registers, reads, calls, `auth` and frames of plain clients per second.', reached: 'Refused with `retryAfterMs`.' },
  subjectRequestsPerSecond: { default: 2_000, min: 1, scope: 'subject', code: 'RATE_LIMITED', meaning: 'The same, of one subject.', reached: 'Refused with `retryAfterMs`.' },
  addressRequestsPerSecond: { default: 50_000, min: 1, scope: 'address', code: 'RATE_LIMITED', meaning: 'The same, from one address.', reached: 'Refused with `retryAfterMs`.' },
  burstMs: { default: 4_000, min: 1, scope: 'node', code: undefined, meaning: 'How much of every rate may come at once, ms of it.', reached: 'What comes beyond it is refused as its rate says.' },
  refusalsPerSecond: { default: 5_000, min: 1, scope: 'connection', code: 'RATE_LIMITED', meaning: 'Refusals for a rate per second: who goes on all the same. `credit`, `ping`, `pong`, `unsubscribe` and the pings and pongs of RFC 6455 are carried out without room, since a lost credit would stall its reader, and count as refusals.', reached: 'Closed with 4100.' },
  membersMax: { default: 1_000, min: 1, scope: 'topic', code: 'TOO_MANY_MEMBERS', meaning: 'Members who show themselves on one topic.', reached: 'Refused; the subscription stands.' },
  registersMax: { default: 10_000, min: 1, scope: 'topic', code: 'TOO_LARGE', meaning: 'Registers of one topic.', reached: 'A new key is refused; those that there are can be written.' },
  registersBytesMax: { default: 4_194_304, min: 1_024, scope: 'topic', code: 'TOO_LARGE', meaning: 'Keys and values of the registers of one topic, bytes as UTF-16 units of JSON.', reached: 'What would make them larger is refused.' },
  replayPagesMax: { default: 16, min: 1, scope: 'node', code: undefined, meaning: 'Pages of history read at a time, for resumes and `read`.', reached: 'The others wait in line.' },
  unansweredPublishesMax: { default: 100_000, min: 1, scope: 'node', code: 'OVERLOADED', meaning: 'Publishes under way.', reached: RETRY },
  unansweredBytesMax: { default: 268_435_456, min: 1_024, scope: 'node', code: 'OVERLOADED', meaning: 'Bytes of publishes under way.', reached: RETRY },
  hookTimeoutMs: { default: 30_000, min: 1, scope: 'node', code: 'INTERNAL', meaning: 'Time that a hook may take to answer, ms.', reached: 'What it was asked for is refused as retryable.' },
  memoryBytesMax: { default: Infinity, defaultText: '80 % of the heap that Node allows', min: 1_048_576, scope: 'node', code: 'OVERLOADED', meaning: 'Memory in use by the process, bytes, looked at once a second.', reached: 'New connections get HTTP 503; publishes, subscriptions and reads are refused with `retryAfterMs`.' },
};

const DEFAULTS = Object.fromEntries(Object.entries(NODE_LIMITS).map(([name, row]) => [name, row.default])) as unknown as NodeLimits;

/** What may be given for limits: any of both tables. */
export type LimitChanges = { readonly [Name in LimitName]?: number | undefined };

/** Both kinds, apart. */
export interface LimitSet {
  /** Announced in `welcome`. */
  readonly announced: Limits;
  readonly node: NodeLimits;
}

/**
 * The defaults of both tables with some of them replaced; `undefined` replaces nothing, `Infinity` lifts a limit of the
 * node. Throws `USAGE` for a name that is no limit, and for a value out of its bounds.
 */
export function limitSetWith(changes: LimitChanges): LimitSet {
  const node: Record<string, number> = { ...DEFAULTS };
  const announced: Record<string, number | undefined> = {};
  for (const [name, value] of Object.entries(changes)) {
    const row = Object.hasOwn(NODE_LIMITS, name) ? NODE_LIMITS[name as keyof NodeLimits] : undefined;
    if (row === undefined) announced[name] = value;
    else if (value !== undefined) {
      if (!(value === Infinity || (Number.isFinite(value) && value >= row.min)))
        throw new HoldfastError('USAGE', `limit "${name}": want a number from ${row.min}, or Infinity, got ${value}`);
      node[name] = value;
    }
  }
  return { announced: limitsWith(announced), node: node as unknown as NodeLimits };
}

/** Every name of both tables. */
export const LIMIT_NAMES: readonly LimitName[] = [...Object.keys(DEFAULT_LIMITS), ...Object.keys(NODE_LIMITS)] as LimitName[];
