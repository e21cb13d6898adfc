/**
 * Grants that were given and still stand, and questions that are under way, so that the same question is asked once. What is
 * forgotten is not given again, not even by an answer that is already on its way.
 */

import type { Clock, Grant } from '@holdfast/server';

/** What was answered; `isKept`: whether it may be given again without asking. */
export interface Answered {
  readonly grant: Grant | false;
  readonly isKept: boolean;
}

export interface GrantCacheOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** How long a grant without an end of its own is kept, ms; 0: not at all. */
  readonly grantMs: number;
  /** Beyond it the oldest ones are asked for again. */
  readonly countMax: number;
}

interface Kept {
  readonly subject: string;
  readonly grant: Grant;
  /** Until when it is given without asking, ms since 1970. */
  readonly endsAtMs: number;
}

interface Underway {
  readonly subject: string;
  readonly answer: Promise<Answered>;
}

export class GrantCache {
  readonly #options: GrantCacheOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #underway = new Map<string, Underway>();

  constructor(options: GrantCacheOptions) {
    this.#options = options;
  }

  /** The grant for a question, at once if it is known; else what `ask` answers. A refusal is never kept. */
  get(key: string, subject: string, ask: () => Promise<Answered>): Grant | Promise<Grant | false> {
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.endsAtMs > this.#options.clock.now()) return kept.grant;
    let underway = this.#underway.get(key);
    if (underway === undefined) {
      underway = { subject, answer: ask() };
      this.#underway.set(key, underway);
      this.#settle(key, underway);
    }
    return underway.answer.then(({ grant }) => grant);
  }

  /** Of one subject, or of all. */
  forget(subject?: string): void {
    for (const table of [this.#kept, this.#underway])
      for (const [key, one] of table) if (subject === undefined || one.subject === subject) table.delete(key);
  }

  #settle(key: string, underway: Underway): void {
    const end = (answered?: Answered): void => {
      // Forgotten in between: the answer is for who asked, and for nobody after.
      if (this.#underway.get(key) !== underway) return;
      this.#underway.delete(key);
      if (answered?.isKept === true && answered.grant !== false) this.#keep(key, underway.subject, answered.grant);
    };
    underway.answer.then(end, () => end());
  }

  #keep(key: string, subject: string, grant: Grant): void {
    const { clock, grantMs, countMax } = this.#options;
    if (grantMs === 0 || countMax === 0) return;
    this.#kept.delete(key);
    if (this.#kept.size >= countMax) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(key, { subject, grant, endsAtMs: grant.untilMs ?? clock.now() + grantMs });
  }
}
