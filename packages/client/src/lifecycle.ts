/**
 * What the platform tells of a page's or an app's life: that it runs again, is looked at again, has a network or none. These
 * are hints, from which a connection asks its peer for a sign of life; it never believes them. Source: HTML, Page Lifecycle.
 */

export type LifecycleHint = 'wake' | 'online' | 'offline';

/** Begins to tell; returns what ends it. */
export type Lifecycle = (tell: (hint: LifecycleHint) => void) => () => void;

interface EventSource {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** A page's or a worker's; `undefined` where the platform has no such events (Node, React Native). */
export function pageLifecycle(): Lifecycle | undefined {
  const target = globalThis as unknown as Partial<EventSource> & { document?: { visibilityState?: string } };
  if (typeof target.addEventListener !== 'function') return undefined;
  return (tell) => {
    const wake = (): void => tell('wake');
    const listeners: Readonly<Record<string, () => void>> = {
      online: () => tell('online'),
      offline: () => tell('offline'),
      // They happen to the document, and rise to the window.
      visibilitychange: () => {
        if (target.document?.visibilityState === 'visible') wake();
      },
      resume: wake,
      pageshow: wake,
    };
    const source = target as EventSource;
    for (const [type, listener] of Object.entries(listeners)) source.addEventListener(type, listener);
    return () => {
      for (const [type, listener] of Object.entries(listeners)) source.removeEventListener(type, listener);
    };
  };
}

/** React Native's `AppState`, as far as it is used. */
export interface AppStateLike {
  addEventListener(type: 'change', listener: (state: string) => void): { remove(): void };
}

/** A React Native app's: pass its `AppState`. */
export function appLifecycle(appState: AppStateLike): Lifecycle {
  return (tell) => {
    const subscription = appState.addEventListener('change', (state) => {
      if (state === 'active') tell('wake');
    });
    return () => subscription.remove();
  };
}
