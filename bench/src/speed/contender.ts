/** What is compared: a server, what it is spoken to in, and what it can do. */

import type { GroupOptions, Protocol } from '../load/load-generator.ts';
import type { ServerProcess } from './server-process.ts';

/** What a scenario may ask of a server. */
export type Ability =
  /** Gives a message to all subscribers of a topic, thousands of times a second. */
  | 'broadcast'
  /** The same, however slowly. */
  | 'updates'
  /** Answers a request. */
  | 'call'
  /** Acknowledges a publish. */
  | 'ack'
  /** The acknowledged is on disk. */
  | 'durable'
  /** Gives a client that comes back what it missed. */
  | 'resume';

export interface Contender {
  /** As `--against` and result files name it. */
  readonly name: string;
  /** In tables. */
  readonly title: string;
  readonly protocol: Protocol;
  readonly abilities: readonly Ability[];
  /** What its subscribers say besides. */
  readonly subscriber?: Pick<GroupOptions, 'credit'>;
  /** Which version this is; `undefined` if it is not here. */
  readonly version: () => string | undefined;
  /** How to get it, where it is not. */
  readonly remedy?: string;
  /** `folder`: an empty one for its files. */
  readonly start: (folder: string) => Promise<ServerProcess>;
}
