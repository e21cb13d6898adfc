/**
 * What a topic does with its entries. A kind is consulted by the sequencer at the one moment when the order is decided;
 * it is synchronous and pure, so that nothing can overtake. `log` keeps whatever it is given.
 */

import type { HoldfastError } from '@holdfast/wire';
import type { Entry, Payload } from './store.ts';
import type { Identity } from './rights.ts';

/** A publish that is about to get its place. */
export interface Admission {
  readonly topic: string;
  readonly identity: Identity;
  /** The offset that the first payload will get. */
  readonly offset: number;
  readonly payloads: readonly Payload[];
}

export interface Kind {
  readonly name: string;
  /** Refuses (an error with `retryable: false`), replaces the payloads by as many or others, or lets pass (`undefined`). */
  admit?(admission: Admission): HoldfastError | readonly Payload[] | undefined;
  /** Whether a viewer may see an entry; hidden ones become a `skip` (PROTOCOL.md HF-5.6). */
  isVisible?(entry: Entry, viewer: Identity): boolean;
}

/** Keeps entries as they come, visible to every subscriber. */
export function log(): Kind {
  return { name: 'log' };
}
