/**
 * Typing as a lease: whoever types says so again every 3 s, and is believed for 6 s. Both halves are here; time and the
 * signal itself are handed in.
 */

import { Cell } from './cell.ts';

const RENEW_MS = 3_000;
const LEASE_MS = 6_000;

/** What goes over the wire. */
export interface TypingSignal {
  readonly typing: boolean;
}

export function isTypingSignal(data: unknown): data is TypingSignal {
  return typeof data === 'object' && data !== null && typeof (data as { typing?: unknown }).typing === 'boolean';
}

/** Tells the others that I type. */
export class TypingNotice {
  readonly #signal: (signal: TypingSignal) => void;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(signal: (signal: TypingSignal) => void) {
    this.#signal = signal;
  }

  /** At every change of the draft. */
  changed(isEmpty: boolean, nowMs: number): void {
    if (isEmpty) return this.stopped();
    if (nowMs - this.#saidAtMs < RENEW_MS) return;
    this.#saidAtMs = nowMs;
    this.#signal({ typing: true });
  }

  /** The draft was sent or emptied. */
  stopped(): void {
    if (this.#saidAtMs === Number.NEGATIVE_INFINITY) return;
    this.#saidAtMs = Number.NEGATIVE_INFINITY;
    this.#signal({ typing: false });
  }
}

/** Who types just now, in the order of their beginning. */
export class Typists {
  readonly names: Cell<readonly string[]> = new Cell<readonly string[]>([]);
  readonly #leases = new Map<string, ReturnType<typeof setTimeout>>();

  heard(from: string, { typing }: TypingSignal): void {
    clearTimeout(this.#leases.get(from));
    if (typing)
      this.#leases.set(
        from,
        setTimeout(() => this.#end(from), LEASE_MS),
      );
    else this.#leases.delete(from);
    this.#publish();
  }

  clear(): void {
    for (const lease of this.#leases.values()) clearTimeout(lease);
    this.#leases.clear();
    this.#publish();
  }

  #end(from: string): void {
    this.#leases.delete(from);
    this.#publish();
  }

  #publish(): void {
    const names = [...this.#leases.keys()];
    if (names.join('\n') !== this.names.getSnapshot().join('\n')) this.names.set(names);
  }
}

/** "alice is typing", "alice and bob are typing", "alice and 2 others are typing"; empty for nobody. */
export function typingWords([first, second, ...others]: readonly string[]): string {
  if (first === undefined) return '';
  if (second === undefined) return `${first} is typing`;
  return others.length === 0 ? `${first} and ${second} are typing` : `${first} and ${others.length + 1} others are typing`;
}
