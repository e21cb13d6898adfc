/**
 * A link that dies without a word: after how long a library knows. What is sent into it vanishes, nothing comes out of it,
 * and no end is told; a new connection would be sound.
 */

import { percentile } from '../percentile.ts';
import type { Contender } from './contender.ts';
import { hasNoticed, withLines, type Line } from './line.ts';
import { LOOK_MS, pause } from './moment.ts';
import type { ConnectionRow } from './row.ts';

export interface HalfOpenPlan {
  readonly heartbeatMs: number;
  readonly ownLinks: number;
  readonly otherLinks: number;
  /** Who has not noticed by then never will. */
  readonly patienceMs: number;
}

export function measureHalfOpen(contender: Contender, plan: HalfOpenPlan): Promise<ConnectionRow> {
  const { heartbeatMs, patienceMs } = plan;
  const count = contender.isOurs ? plan.ownLinks : plan.otherLinks;
  return withLines(contender, { heartbeatMs }, count, async (lines) => {
    await pause(2 * heartbeatMs);
    const timesMs: number[] = [];
    for (const line of lines) {
      // Each at another moment between two beats.
      await pause(heartbeatMs / count);
      void noticedAfter(line, patienceMs).then((ms) => ms !== undefined && timesMs.push(ms));
    }
    const startedMs = performance.now();
    while (timesMs.length < count && performance.now() - startedMs < patienceMs) await pause(LOOK_MS);
    const [median, max] = timesMs.length < count ? [null, null] : [Math.round(percentile(timesMs, 0.5)), Math.round(Math.max(...timesMs))];
    const figures = {
      heartbeat: contender.heartbeat,
      links: count,
      found: timesMs.length,
      'after, p50, ms': median,
      'after, max, ms': max,
    };
    return { measure: 'half-open link', name: contender.name, figures };
  });
}

/** Kills the link; resolves with how long it took, ms, or with nothing. */
async function noticedAfter(line: Line, patienceMs: number): Promise<number | undefined> {
  const startedMs = performance.now();
  line.proxy.swallow();
  while (!hasNoticed(line)) {
    if (performance.now() - startedMs > patienceMs) return undefined;
    await pause(LOOK_MS);
  }
  return performance.now() - startedMs;
}
