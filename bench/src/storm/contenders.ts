/** Who is dropped and comes back: this server, once without and once with the limits of a node, and Socket.IO with what it has for it. */

import { versionOf } from '../package-version.ts';
import type { Protocol } from '../load/load-generator.ts';
import { GaugedServer } from './gauged-server.ts';

export interface StormContender {
  readonly name: string;
  readonly title: string;
  readonly protocol: Protocol;
  readonly isOurs: boolean;
  readonly version: string;
  /** Rounds in any case at the most: for one that takes long. */
  readonly roundsMax?: number;
  /** How fast it lets the first connections in, per second. Default: no bound. */
  readonly pace?: number;
  readonly start: (connections: number) => Promise<GaugedServer>;
}

/** What a hub announces to so many by default (HF-3.4), ms. */
function spreadMsOf(connections: number): number {
  return Math.min(30_000, Math.max(100, connections));
}

const holdfast = {
  protocol: 'holdfast',
  isOurs: true,
  version: versionOf('@holdfast/server') ?? '',
} as const;

export const STORM_CONTENDERS: readonly StormContender[] = [
  {
    ...holdfast,
    name: 'holdfast',
    title: 'Holdfast, in memory',
    start: (connections) => GaugedServer.start('storm-holdfast.mjs', [String(spreadMsOf(connections))]),
  },
  {
    ...holdfast,
    name: 'holdfast-limits',
    title: 'Holdfast, lets in 500 a second',
    roundsMax: 2,
    pace: 450,
    start: (connections) => GaugedServer.start('storm-holdfast.mjs', [String(spreadMsOf(connections)), 'limits']),
  },
  {
    name: 'socket.io',
    title: 'Socket.IO, connection state recovery',
    protocol: 'socket.io',
    isOurs: false,
    version: versionOf('socket.io') ?? '',
    start: () => GaugedServer.start('storm-socket-io.mjs', []),
  },
];
