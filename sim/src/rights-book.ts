/**
 * Who may do what at present: the application's own list, which the server's hook looks up. It remembers what was ever
 * taken, since that makes refusals legal, and whether the server was told, since from then on nothing may pass.
 */

import type { Grant } from '@holdfast/server';

/** What is taken and given here. */
export type Right = 'subscribe' | 'publish' | 'members';

interface Restriction {
  /** Taken now, or not; with a time, from then on. */
  isTaken: boolean;
  untilMs: number | undefined;
  /** The first offset that may be seen. */
  floor: number;
  /** The server was told to ask again. */
  isTold: boolean;
}

export class RightsBook {
  readonly #restrictions = new Map<string, Restriction>();
  /** The highest floor that was ever given. */
  readonly #floors = new Map<string, number>();

  /** What the hook answers. */
  answer(right: Right, subject: string, topic: string): boolean | Grant {
    const restriction = this.#restrictions.get(keyOf(right, subject, topic));
    if (restriction === undefined) return true;
    if (restriction.isTaken) return false;
    const { floor, untilMs } = restriction;
    return { ...(floor > 1 ? { floor } : {}), ...(untilMs === undefined ? {} : { untilMs }) };
  }

  /** Takes a right away: at once, or at a time of the server's wall clock. */
  take(right: Right, subject: string, topic: string, untilMs: number | undefined): void {
    const key = keyOf(right, subject, topic);
    const floor = this.#restrictions.get(key)?.floor ?? 1;
    this.#restrictions.set(key, { isTaken: untilMs === undefined, untilMs, floor, isTold: false });
  }

  /** Gives it back, from `floor` on. */
  give(right: Right, subject: string, topic: string, floor: number): void {
    const key = keyOf(right, subject, topic);
    this.#restrictions.set(key, { isTaken: false, untilMs: undefined, floor, isTold: false });
    this.#floors.set(`${subject} ${topic}`, Math.max(floor, this.highestFloor(subject, topic)));
  }

  /** The server asks all of the subject's rights again from now on. */
  told(subject: string): void {
    for (const [key, restriction] of this.#restrictions) if (key.split(' ')[1] === subject) restriction.isTold = true;
  }

  /** A server that begins anew asks everything anyway. */
  toldAll(): void {
    for (const restriction of this.#restrictions.values()) restriction.isTold = true;
  }

  /** Whether the right was ever taken. */
  wasTaken(right: Right, subject: string, topic: string): boolean {
    return this.#restrictions.has(keyOf(right, subject, topic));
  }

  highestFloor(subject: string, topic: string): number {
    return this.#floors.get(`${subject} ${topic}`) ?? 1;
  }

  /** Why nothing of this may be told to the subject now, although the server knows it; `undefined`: it may. `nowMs`: the server's clock. */
  forbids(right: Right, subject: string, topic: string, offset: number, nowMs: number): string | undefined {
    const restriction = this.#restrictions.get(keyOf(right, subject, topic));
    if (restriction === undefined || !restriction.isTold) return undefined;
    const { isTaken, untilMs, floor } = restriction;
    if (isTaken) return 'the right is taken';
    if (untilMs !== undefined && nowMs >= untilMs) return 'the right has ended';
    return offset < floor ? `the right begins at ${floor}` : undefined;
  }
}

function keyOf(right: Right, subject: string, topic: string): string {
  return `${right} ${subject} ${topic}`;
}
