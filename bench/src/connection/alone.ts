/** A single client whose link is reset while all else is well: after how long its user can go on. */

import { percentile } from '../percentile.ts';
import type { Contender } from './contender.ts';
import { isBack, withLines, type Line } from './line.ts';
import { LOOK_MS, pause } from './moment.ts';
import type { ConnectionRow } from './row.ts';

export interface AlonePlan {
  readonly clients: number;
  /** Between two drops: each falls while the others stand, ms. */
  readonly betweenMs: number;
}

const PATIENCE_MS = 30_000;
/** How long the clients stand before the first is dropped, ms. */
const SOUND_MS = 500;

export function measureAlone(contender: Contender, { clients, betweenMs }: AlonePlan): Promise<ConnectionRow> {
  return withLines(contender, {}, clients, async (lines) => {
    await pause(SOUND_MS);
    const returns: Promise<number | undefined>[] = [];
    for (const line of lines) {
      returns.push(backAfter(line));
      await pause(betweenMs);
    }
    const timesMs = (await Promise.all(returns)).filter((ms) => ms !== undefined);
    const at = (share: number): number | null => (timesMs.length === 0 ? null : Math.round(percentile(timesMs, share)));
    const figures = {
      drops: clients,
      back: timesMs.length,
      'after, p50, ms': at(0.5),
      'after, p95, ms': at(0.95),
      'after, max, ms': at(1),
    };
    return { measure: 'alone', name: contender.name, figures };
  });
}

async function backAfter(line: Line): Promise<number | undefined> {
  const startedMs = performance.now();
  line.proxy.reset();
  while (!isBack(line)) {
    if (performance.now() - startedMs > PATIENCE_MS) return undefined;
    await pause(LOOK_MS);
  }
  return performance.now() - startedMs;
}
