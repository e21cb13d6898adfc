/**
 * Observable state: what a user interface shows. `subscribe` and `getSnapshot` satisfy React's `useSyncExternalStore`, and
 * may be passed on unbound. Listeners are called in a microtask, once for all changes of a turn, so that they may do anything.
 */

export interface Observable<T> {
  /** Calls back after changes; returns what ends it. */
  readonly subscribe: (listener: () => void) => () => void;
  /** The present value: the same reference until it changes. */
  readonly getSnapshot: () => T;
}

/** An error of the application's own listener: reported as the platform reports its own listeners' errors. */
export function reportListenerError(error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void };
  if (typeof reportError === 'function') return reportError(error);
  void Promise.resolve().then(() => {
    throw error;
  });
}

/** The listeners of one observable, and the microtask that calls them. */
export class Listeners {
  readonly #listeners = new Set<() => void>();
  #isDue = false;

  get count(): number {
    return this.#listeners.size;
  }

  add(listener: () => void): () => void {
    // A wrapper of its own, so that one function subscribed twice is two subscriptions.
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  notify(): void {
    if (this.#isDue || this.#listeners.size === 0) return;
    this.#isDue = true;
    void Promise.resolve().then(() => {
      this.#isDue = false;
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

/** A value that is computed when somebody looks, after `touch` said that it changed. */
export class Computed<T> implements Observable<T> {
  readonly #compute: () => T;
  readonly #listeners: Listeners = new Listeners();
  #value: { readonly current: T } | undefined;

  constructor(compute: () => T) {
    this.#compute = compute;
  }

  touch(): void {
    this.#value = undefined;
    this.#listeners.notify();
  }

  readonly subscribe: (listener: () => void) => () => void = (listener) => this.#listeners.add(listener);

  readonly getSnapshot: () => T = () => {
    this.#value ??= { current: this.#compute() };
    return this.#value.current;
  };
}
