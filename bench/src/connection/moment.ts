/** Waiting for what no library tells in the same way: by looking, often. */

/** How often is looked, ms: the resolution of every time that is measured here. */
export const LOOK_MS = 2;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves as soon as `condition` holds, with `true`; with `false` if it never held for `patienceMs`. */
export function until(condition: () => boolean, patienceMs: number): Promise<boolean> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const look = (): void => {
      const holds = condition();
      if (!holds && performance.now() - startedMs < patienceMs) return;
      clearInterval(timer);
      resolve(holds);
    };
    const timer = setInterval(look, LOOK_MS);
  });
}

/** Like `until`, for what must come: throws with `what` after `patienceMs`. */
export async function expectSoon(what: string, condition: () => boolean, patienceMs: number): Promise<void> {
  if (!(await until(condition, patienceMs))) throw new Error(`${what} did not happen within ${patienceMs} ms`);
}
