/** Waiting before connecting again (PROTOCOL.md HF-11.3): full jitter from the first attempt, so that no herd forms. */

export interface BackoffOptions {
  /** The bound of the second wait, ms; it doubles with every further one. Default 500. */
  readonly baseMs?: number;
  /** What the bound doubles to, ms. Default 20,000; of a connection 5,000, unless the server refused. */
  readonly capMs?: number;
}

/**
 * The wait before attempt `attempt` (0: the first after a loss), ms. `random` is uniform in [0, 1). The first is spread
 * over `spreadMs`, the server's last announcement; the others over a doubling bound, which is never less than that.
 */
export function backoffDelayMs(attempt: number, spreadMs: number, random: number, options: BackoffOptions = {}): number {
  const { baseMs = 500, capMs = 20_000 } = options;
  const boundMs = Math.max(spreadMs, attempt === 0 ? 0 : Math.min(capMs, baseMs * 2 ** (attempt - 1)));
  return Math.floor(random * boundMs);
}
