/**
 * Observable state, in the shape of `@holdfast/client` and of React's `useSyncExternalStore`; both functions may be passed on
 * unbound. Listeners are called in a microtask, once for all changes of a turn, so that they may do anything.
 */

export interface Observable<T> {
  /** Calls back after changes; returns what ends it. */
  readonly subscribe: (listener: () => void) => () => void;
  /** The present value: the same reference until it changes. */
  readonly getSnapshot: () => T;
}

/** A value that is computed when somebody looks, and listeners who are told once it is another one. */
export class Watched<T> implements Observable<T> {
  readonly getSnapshot: () => T;
  readonly #listeners = new Set<() => void>();
  #told: T | undefined;
  #isDue = false;

  constructor(getSnapshot: () => T) {
    this.getSnapshot = getSnapshot;
  }

  readonly subscribe: (listener: () => void) => () => void = (listener) => {
    if (this.#listeners.size === 0) this.#told = this.getSnapshot();
    // A wrapper of its own, so that one function subscribed twice is two subscriptions.
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  };

  /** It may have changed. */
  touch(): void {
    if (this.#isDue || this.#listeners.size === 0) return;
    this.#isDue = true;
    void Promise.resolve().then(() => {
      this.#isDue = false;
      const value = this.getSnapshot();
      if (value === this.#told) return;
      this.#told = value;
      for (const listener of this.#listeners) {
        try {
          listener();
        } catch (error) {
          reportListenerError(error);
        }
      }
    });
  }
}

/** An error of the application's own listener: reported as the platform reports its own listeners' errors. */
function reportListenerError(error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void };
  if (typeof reportError === 'function') return reportError(error);
  void Promise.resolve().then(() => {
    throw error;
  });
}
