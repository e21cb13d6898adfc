/**
 * Who is let in: how many connections, how fast, from where, and whether the node has memory for them. What it refuses
 * before the upgrade costs least (PROTOCOL.md HF-2.6); what it refuses after is told to the client (HF-2.3).
 */

import { HoldfastError } from '@holdfast/wire';
import { Accounts, type Account } from './accounts.ts';
import type { Charge } from './allowance.ts';
import type { Clock } from './clock.ts';
import { Meter } from './meter.ts';
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

/** Where new connections per second are counted, as the time at which their bucket is empty again. */
interface Gate {
  emptyAtMs: number;
}

/** Addresses whose rate of coming is remembered; beyond it the one that was new the longest ago is forgotten. */
const GATES_MAX = 100_000;
const RETRY_MS = 1_000;
const TOLD_INTERVAL_MS = 1_000;
const LOOK_INTERVAL_MS = 1_000;
/** What sums of fractions, added to the time since 1970, may be wrong by, ms. */
const ROUNDING_MS = 0.01;

export class Admission {
  readonly subjects: Accounts;
  readonly addresses: Accounts;
  readonly #options: AdmissionOptions;
  readonly #node: Gate = { emptyAtMs: 0 };
  readonly #gates = new Map<string, Gate>();
  readonly #told = new Map<LimitName, number>();
  #memoryBytes = 0;
  #lookedAtMs = -Infinity;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.subjects = new Accounts(options.limits, 'subject');
    this.addresses = new Accounts(options.limits, 'address');
  }

  /** Memory in use, bytes, as of a second ago at the most. */
  get memoryBytes(): number {
    // By itself, not with the sweep: that one waits for a store, and a slow store is when memory fills.
    const now = this.#options.clock.now();
    if (now - this.#lookedAtMs >= LOOK_INTERVAL_MS || now < this.#lookedAtMs) {
      this.#lookedAtMs = now;
      this.#memoryBytes = this.#options.memory();
    }
    return this.#memoryBytes;
  }

  /** Forgets who is at rest. */
  sweep(): void {
    const now = this.#options.clock.now();
    this.subjects.forgetIdle(now);
    this.addresses.forgetIdle(now);
    for (const [key, { emptyAtMs }] of this.#gates) if (emptyAtMs <= now) this.#gates.delete(key);
  }

  /** Why a connection from `address` may not come in now; it is counted if it may. `waitingCount`: let in, and not there yet. */
  admit(address: string, waitingCount: number = 0): HoldfastError | undefined {
    const { limits, connections, groupOf } = this.#options;
    const { all, pending } = connections();
    if (all + waitingCount >= limits.connectionsMax) return this.#refuse('connectionsMax', 'TOO_MANY_CONNECTIONS', address);
    if (pending + waitingCount >= limits.pendingConnectionsMax) return this.#refuse('pendingConnectionsMax', 'OVERLOADED', address);
    if (this.isMemoryFull()) return this.#refuse('memoryBytesMax', 'OVERLOADED', address);
    const key = groupOf(address);
    const gate = this.#gates.get(key) ?? { emptyAtMs: 0 };
    const waitMs = this.#wait(gate, limits.addressAcceptsPerSecond);
    if (waitMs > 0) return this.#refuse('addressAcceptsPerSecond', 'OVERLOADED', address, waitMs);
    const nodeWaitMs = this.#wait(this.#node, limits.acceptsPerSecond);
    if (nodeWaitMs > 0) return this.#refuse('acceptsPerSecond', 'OVERLOADED', address, nodeWaitMs);
    this.#count(gate, limits.addressAcceptsPerSecond);
    this.#count(this.#node, limits.acceptsPerSecond);
    if (this.#gates.size >= GATES_MAX && !this.#gates.has(key)) this.#gates.delete(this.#gates.keys().next().value!);
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

  /** Charges what comes without a connection; nobody holds its accounts, so they are forgotten when they are unused. */
  chargeRequest(subject: string | undefined, address: string, charge: Charge): HoldfastError | undefined {
    const { clock, limits: nodeLimits, groupOf, onLimited } = this.#options;
    const ofAddress = this.addresses.enter(groupOf(address));
    this.addresses.leave(ofAddress);
    const meter = new Meter(
      { services: { clock, nodeLimits }, onLimited: (limit, isNew) => onLimited(limit, subject ?? address, isNew) },
      ofAddress,
    );
    if (subject !== undefined) {
      meter.subject = this.subjects.enter(subject);
      this.subjects.leave(meter.subject);
    }
    return meter.charge(charge);
  }

  /** The refusal of work that would take more memory, while there is too little. */
  lackOfMemory(): HoldfastError | undefined {
    return this.isMemoryFull() ? this.#refuse('memoryBytesMax', 'OVERLOADED', '') : undefined;
  }

  isMemoryFull(): boolean {
    return this.memoryBytes >= this.#options.limits.memoryBytesMax;
  }

  /** 0 if one may come in, else after how many ms there is room. */
  #wait(gate: Gate, perSecond: number): number {
    const { clock, limits } = this.#options;
    const fullMs = gate.emptyAtMs - clock.now() - limits.burstMs + ROUNDING_MS;
    // Further off than a burst and one more: the clock was set back.
    if (fullMs > 1_000 / perSecond + ROUNDING_MS) gate.emptyAtMs = 0;
    else if (fullMs >= 0) return Math.max(1, Math.ceil(fullMs));
    return 0;
  }

  #count(gate: Gate, perSecond: number): void {
    gate.emptyAtMs = Math.max(gate.emptyAtMs, this.#options.clock.now()) + 1_000 / perSecond;
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
