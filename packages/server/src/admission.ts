/**
 * Who is let in: how many connections, how fast, from where, and whether the node has memory for them. What it refuses
 * before the upgrade costs least (PROTOCOL.md HF-2.6); what it refuses after is told to the client (HF-2.3).
 */

import { HoldfastError } from '@holdfast/wire';
import { Accounts, type Account } from './accounts.ts';
import type { Clock } from './clock.ts';
import type { LimitName, NodeLimits } from './node-limits.ts';

export interface AdmissionOptions {
  readonly limits: NodeLimits;
  readonly clock: Clock;
  /** Memory in use, bytes. */
  readonly memory: () => number;
  /** Under which key an address is counted. */
  readonly groupOf: (address: string) => string;
  /** How many connections there are, and of how many it is not known who they are. */
  readonly connections: () => { readonly all: number; readonly pending: number };
  readonly onLimited: (limit: LimitName, key: string, isNew: boolean) => void;
}

/** Where new connections per second are counted, as the time at which the bucket is full again. */
interface Gate {
  fullAtMs: number;
}

/** Addresses whose rate of coming is remembered; a full table is swept, and forgets those that are at rest. */
const GATES_MAX = 100_000;
const RETRY_MS = 1_000;
const TOLD_INTERVAL_MS = 1_000;

export class Admission {
  readonly subjects: Accounts;
  readonly addresses: Accounts;
  readonly #options: AdmissionOptions;
  readonly #node: Gate = { fullAtMs: 0 };
  readonly #gates = new Map<string, Gate>();
  readonly #told = new Map<LimitName, number>();
  #memoryBytes = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.subjects = new Accounts(options.limits, 'subject');
    this.addresses = new Accounts(options.limits, 'address');
  }

  /** Memory in use when it was looked at last, bytes. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Looks at the memory, and forgets who is at rest. Once a second. */
  sweep(): void {
    const now = this.#options.clock.now();
    this.#memoryBytes = this.#options.memory();
    this.subjects.forgetIdle(now);
    this.addresses.forgetIdle(now);
    for (const [key, { fullAtMs }] of this.#gates) if (fullAtMs <= now) this.#gates.delete(key);
  }

  /** Why a connection from `address` may not come in now; it is counted if it may. */
  admit(address: string): HoldfastError | undefined {
    const { limits, connections, groupOf } = this.#options;
    const { all, pending } = connections();
    if (all >= limits.connectionsMax) return this.#refuse('connectionsMax', 'TOO_MANY_CONNECTIONS', address);
    if (pending >= limits.pendingConnectionsMax) return this.#refuse('pendingConnectionsMax', 'OVERLOADED', address);
    if (this.isMemoryFull()) return this.#refuse('memoryBytesMax', 'OVERLOADED', address);
    const key = groupOf(address);
    const gate = this.#gates.get(key) ?? { fullAtMs: 0 };
    const waitMs = this.#wait(gate, limits.addressAcceptsPerSecond);
    if (waitMs > 0) return this.#refuse('addressAcceptsPerSecond', 'OVERLOADED', address, waitMs);
    const nodeWaitMs = this.#wait(this.#node, limits.acceptsPerSecond);
    if (nodeWaitMs > 0) return this.#refuse('acceptsPerSecond', 'OVERLOADED', address, nodeWaitMs);
    this.#count(gate, limits.addressAcceptsPerSecond);
    this.#count(this.#node, limits.acceptsPerSecond);
    if (this.#gates.size >= GATES_MAX && !this.#gates.has(key)) this.#gates.clear();
    this.#gates.set(key, gate);
    return undefined;
  }

  /** A connection that is there, and whether its address had as many as it may. */
  enterAddress(address: string): { readonly account: Account; readonly isFull: boolean } {
    const account = this.addresses.enter(this.#options.groupOf(address));
    return { account, isFull: account.connectionCount > this.#options.limits.addressConnectionsMax };
  }

  /** `undefined` if the subject has as many connections as it may. */
  enterSubject(subject: string): Account | undefined {
    if (this.subjects.connectionCount(subject) >= this.#options.limits.subjectConnectionsMax) return undefined;
    return this.subjects.enter(subject);
  }

  /** The refusal of work that would take more memory, while there is too little. */
  lackOfMemory(): HoldfastError | undefined {
    return this.isMemoryFull() ? this.#refuse('memoryBytesMax', 'OVERLOADED', '') : undefined;
  }

  isMemoryFull(): boolean {
    return this.#memoryBytes >= this.#options.limits.memoryBytesMax;
  }

  #wait(gate: Gate, perSecond: number): number {
    if (perSecond === Infinity) return 0;
    const { clock, limits } = this.#options;
    const now = clock.now();
    // Further off than a full burst: the clock was set back.
    if (gate.fullAtMs > now + limits.burstMs + 1_000 / perSecond) gate.fullAtMs = 0;
    return Math.max(0, Math.ceil(gate.fullAtMs - now - limits.burstMs));
  }

  #count(gate: Gate, perSecond: number): void {
    if (perSecond !== Infinity) gate.fullAtMs = Math.max(gate.fullAtMs, this.#options.clock.now()) + 1_000 / perSecond;
  }

  #refuse(
    limit: keyof NodeLimits,
    code: 'OVERLOADED' | 'TOO_MANY_CONNECTIONS',
    key: string,
    retryAfterMs: number = RETRY_MS,
  ): HoldfastError {
    const now = this.#options.clock.now();
    const toldAtMs = this.#told.get(limit);
    const isNew = toldAtMs === undefined || now - toldAtMs >= TOLD_INTERVAL_MS || now < toldAtMs;
    if (isNew) this.#told.set(limit, now);
    this.#options.onLimited(limit, key, isNew);
    return new HoldfastError(code, `this node takes no more for now (limits.${limit})`, { retryAfterMs });
  }
}
