/** What a hub counts, since it began: plain numbers, cheap enough for the hot path. Whoever exports metrics reads them. */

import type { ErrorCode } from '@holdfast/wire';
import type { LimitName } from './node-limits.ts';

export class Counters {
  connectionsOpened = 0;
  framesReceived = 0;
  /** Characters of text frames, bytes of binary ones. */
  bytesReceived = 0;
  framesSent = 0;
  bytesSent = 0;
  entriesPublished = 0;
  /** Resends that got their original answer. */
  publishesRepeated = 0;
  /** Closed connections, by close code. */
  readonly closed: Map<number, number> = new Map();
  /** Errors told to clients, by code. */
  readonly errors: Map<ErrorCode, number> = new Map();
  /** How often each limit was reached. */
  readonly limits: Map<LimitName, number> = new Map();

  countClosed(code: number): void {
    this.closed.set(code, (this.closed.get(code) ?? 0) + 1);
  }

  countError(code: ErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  countLimit(limit: LimitName): void {
    this.limits.set(limit, (this.limits.get(limit) ?? 0) + 1);
  }
}

/** How a hub stands at this moment. */
export interface HubStats {
  readonly connections: number;
  /** Of them, those of which it is not known yet who they are. */
  readonly pendingConnections: number;
  /** Connections that take what is sent to them too slowly at this moment. */
  readonly slowConnections: number;
  readonly subscriptions: number;
  /** Topics in memory. */
  readonly topics: number;
  readonly members: number;
  readonly unansweredPublishes: number;
  readonly unansweredBytes: number;
  /** Readings of history that wait in line. */
  readonly waitingReads: number;
  /** Subjects and addresses whose use is being counted. */
  readonly accounts: number;
  readonly memoryBytes: number;
}
