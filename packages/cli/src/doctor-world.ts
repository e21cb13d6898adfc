/** What `holdfast doctor` reaches the outside by, and what it was asked: the ports of an examination, and its order. */

import { lookup as lookupName } from 'node:dns/promises';
import type { Target } from './doctor-target.ts';
import type { Secrets } from './doctor-secrets.ts';

export interface Address {
  readonly address: string;
  readonly family: number;
}

export interface World {
  /** All addresses of a name, in the order in which they are to be tried. Rejects as `dns.lookup` does. */
  lookup(host: string): Promise<readonly Address[]>;
  /** The environment's variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The authorities to trust, PEM. Default: those of Node, and NODE_EXTRA_CA_CERTS. */
  readonly authorities?: readonly string[];
  /** The wall clock, ms since 1970. */
  now(): number;
}

export const machine: World = {
  lookup: (host) => lookupName(host, { all: true, verbatim: true }),
  environment: process.env,
  now: () => Date.now(),
};

export interface Order {
  readonly target: Target;
  readonly secrets: Secrets;
  readonly token: string | undefined;
  /** To offer instead of Holdfast's. */
  readonly subprotocol: string | undefined;
  /** Expects no protocol above RFC 6455. */
  readonly isPlain: boolean;
  readonly origin: string | undefined;
  /** How long each step waits for an answer, ms. */
  readonly waitMs: number;
  readonly idleMs: number;
  /** Round trips to measure. */
  readonly pingCount: number;
  /** Sends one frame as large as it may be. */
  readonly isLarge: boolean;
}

/** The address that is examined from the upgrade on. */
export interface Route extends Address {
  readonly target: Target;
}
