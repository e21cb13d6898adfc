/** Carries out what is due when, with one timer. */

export interface Appointment {
  readonly atMs: number;
  run(): void;
}

/** Resolves after the last one; what is late is made up for at once, in order. Rejects when `signal` ends it, or with what one throws. */
export function keepTimetable(appointments: readonly Appointment[], signal: AbortSignal): Promise<void> {
  const sorted = [...appointments].sort((a, b) => a.atMs - b.atMs);
  const beganMs = performance.now();
  let next = 0;
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const abort = (): void => {
      end();
      reject(signal.reason as Error);
    };
    const step = (): void => {
      try {
        for (; next < sorted.length && sorted[next]!.atMs <= performance.now() - beganMs; next++) sorted[next]!.run();
      } catch (error) {
        end();
        return reject(error instanceof Error ? error : new Error(String(error)));
      }
      if (next < sorted.length) timer = setTimeout(step, Math.max(1, sorted[next]!.atMs - (performance.now() - beganMs)));
      else {
        end();
        resolve();
      }
    };
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    step();
  });
}
