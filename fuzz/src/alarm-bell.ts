/** Hears what nobody caught in this process: errors and rejections that would have ended it. */

import { asError } from './target.ts';

export class AlarmBell {
  readonly #heard: unknown[] = [];
  readonly #note = (error: unknown): void => void this.#heard.push(error);

  constructor() {
    process.on('uncaughtException', this.#note).on('unhandledRejection', this.#note);
  }

  /** Throws the first that was heard since the last call. */
  assertSilent(): void {
    const [first] = this.#heard.splice(0);
    if (first === undefined) return;
    throw new Error(`nobody caught: ${asError(first).stack}`);
  }

  close(): void {
    process.off('uncaughtException', this.#note).off('unhandledRejection', this.#note);
  }
}
