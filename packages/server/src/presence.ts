/**
 * Who is on a topic (PROTOCOL.md HF-7.6): members are (subject, client); one that drops stays for a grace time, so that a
 * reconnect changes nothing for the others. Never stored; the server's clock decides.
 */

import type { Json, Member } from '@holdfast/wire';
import type { Clock, Timer } from './clock.ts';

export type PresenceEvent = 'enter' | 'update' | 'leave';

export interface PresenceOptions {
  readonly clock: Clock;
  readonly graceMs: number;
  readonly onChange: (event: PresenceEvent, member: Member) => void;
}

interface Seat {
  member: Member;
  /** Whoever holds it now; `undefined` during the grace time. */
  holder: object | undefined;
  timer: Timer | undefined;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #seats = new Map<string, Seat>();

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#seats.size === 0;
  }

  get count(): number {
    return this.#seats.size;
  }

  /** Members of one subject, those in their grace time included. */
  countOf(subject: string): number {
    let count = 0;
    for (const { member } of this.#seats.values()) if (member.subject === subject) count += 1;
    return count;
  }

  has(subject: string, client: string): boolean {
    return this.#seats.has(`${client} ${subject}`);
  }

  /** In the order of their coming. */
  members(): Member[] {
    return [...this.#seats.values()].map((seat) => seat.member);
  }

  /** Makes (subject, client) a member with this state, held by `holder`, or updates it. */
  enter(subject: string, client: string, state: Json, holder: object): void {
    const key = `${client} ${subject}`;
    const seat = this.#seats.get(key);
    if (seat === undefined) {
      const member = { subject, client, state, since: this.#options.clock.now() };
      this.#seats.set(key, { member, holder, timer: undefined });
      return this.#options.onChange('enter', member);
    }
    this.#keep(seat);
    seat.holder = holder;
    const isSame = JSON.stringify(seat.member.state) === JSON.stringify(state);
    seat.member = { ...seat.member, state };
    if (!isSame) this.#options.onChange('update', seat.member);
  }

  /** Ends the membership at once. Harmless if there is none. */
  leave(subject: string, client: string): void {
    const key = `${client} ${subject}`;
    const seat = this.#seats.get(key);
    if (seat === undefined) return;
    this.#keep(seat);
    this.#seats.delete(key);
    this.#options.onChange('leave', seat.member);
  }

  /** Ends the membership that `holder` holds. */
  release(subject: string, client: string, holder: object): void {
    if (this.#seats.get(`${client} ${subject}`)?.holder === holder) this.leave(subject, client);
  }

  /** The holder is gone: its member leaves after the grace time, unless another holder takes over. */
  drop(subject: string, client: string, holder: object): void {
    const seat = this.#seats.get(`${client} ${subject}`);
    if (seat === undefined || seat.holder !== holder) return;
    seat.holder = undefined;
    seat.timer = this.#options.clock.setTimeout(() => this.leave(subject, client), this.#options.graceMs);
  }

  /** Stops all timers; says nothing to anybody. */
  close(): void {
    for (const seat of this.#seats.values()) this.#keep(seat);
    this.#seats.clear();
  }

  #keep(seat: Seat): void {
    if (seat.timer !== undefined) this.#options.clock.clearTimeout(seat.timer);
    seat.timer = undefined;
  }
}
