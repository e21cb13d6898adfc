/** How a person or a supervisor ends a command: the first signal asks, a second one insists. */

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export type StopSignal = keyof typeof SIGNALS;

/**
 * npm passes Ctrl-C on to a program that got it from the terminal already, so that one press arrives twice: what comes
 * within this time of the first signal is the same wish, ms.
 */
const SAME_WISH_MS = 1_000;

/**
 * Resolves at the first SIGINT, SIGTERM or SIGHUP. A further one ends the process at once, with 128 and its number. With
 * `onHangup`, SIGHUP stops nothing and calls that instead.
 */
export function stopSignal(onHangup?: () => void): Promise<StopSignal> {
  if (onHangup !== undefined) process.on('SIGHUP', onHangup);
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    for (const [name, exitCode] of Object.entries(SIGNALS) as [StopSignal, number][]) {
      if (name === 'SIGHUP' && onHangup !== undefined) continue;
      process.on(name, () => {
        firstAtMs ??= performance.now();
        if (performance.now() - firstAtMs > SAME_WISH_MS) process.exit(exitCode);
        resolve(name);
      });
    }
  });
}
