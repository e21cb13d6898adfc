/**
 * What the measures need of a library, and of a server of the kind that it is made for. Every library is asked the same
 * questions through this port; a new one is one more object of this shape in `contenders.ts`.
 */

import type { Measure } from './row.ts';

export interface Contender {
  readonly name: string;
  /** The tables that it stands in. */
  readonly measures: readonly Measure[];
  /** The npm package whose version is told; `undefined` for what is of this repository. */
  readonly package: string | undefined;
  /** What is measured as ours: more repetitions, and the goals. */
  readonly isOurs: boolean;
  /** What it has of a heartbeat, in a word or two. */
  readonly heartbeat: string;
  /** The smallest program that connects and sends: what is bundled for its size. Unused where that is not measured. */
  readonly code: string;
  serve(settings: ServeSettings): Promise<ContenderServer>;
}

/** What is left out is the library's own default. */
export interface ServeSettings {
  readonly heartbeatMs?: number;
  /** Over how long lost clients are asked to spread their return, where the server can say so. */
  readonly spreadMs?: number;
  /** The largest message that `push` will send. */
  readonly pushBytesMax?: number;
}

/** A server on loopback, and what connects to it. */
export interface ContenderServer {
  readonly port: number;
  /** The numbers that arrived, in the order of arrival, as often as they arrived. */
  received(): Promise<readonly number[]>;
  /** Sends one message of so many bytes to every caller. */
  push(bytes: number): Promise<void>;
  /** Connects a client of the library to a port, usually that of a proxy. `name` differs from caller to caller. */
  connect(port: number, name: string): Caller;
  /** After its callers. */
  close(): Promise<void>;
}

/** One client. */
export interface Caller {
  /** What the library itself says of its connection. */
  readonly isConnected: boolean;
  /** Messages of `push` that came. */
  readonly pushedCount: number;
  /** How many numbers the library reported as delivered; `undefined` where it reports nothing. */
  readonly acknowledgedCount: number | undefined;
  send(number: number): void;
  close(): Promise<void>;
}
