/** Times of round trips, and what is said of them. */

import { durationText, failed, ok, warning, type Observation } from './doctor-report.ts';

/** The value below which a share of them lies, ms. `times` is not empty. */
export function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;
}

/** A reader takes longer ones for a broken connection, ms. */
const SLOW_MS = 1_000;

/** `what` is what was sent, such as `pings`; `lost`: one was not answered in time. */
export function observeRoundTrips(what: string, times: readonly number[], lost: { readonly waitMs: number } | undefined): Observation {
  const answered = times.length;
  if (lost !== undefined) {
    const before = answered === 0 ? '' : ` after ${answered} that were answered`;
    return failed(
      `one of the ${what} was not answered within ${durationText(lost.waitMs)}${before}`,
      'Something on the way holds frames back (a proxy that buffers), or the server does not read: look at both.',
    );
  }
  const p50 = percentile(times, 0.5);
  const p95 = percentile(times, 0.95);
  const text = `${answered} ${what}: half came back within ${durationText(p50)}, 95 % within ${durationText(p95)}`;
  const facts = { count: answered, p50Ms: rounded(p50), p95Ms: rounded(p95), maxMs: rounded(Math.max(...times)) };
  if (p95 < SLOW_MS) return ok(text, facts);
  return warning(text, 'Look for a long way, a full link, or a busy server: run this from near the server to tell them apart.', facts);
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
