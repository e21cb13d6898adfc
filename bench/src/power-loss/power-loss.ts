/**
 * What a power cut costs under each way of syncing: the recorded run of a writing store is cut at hundreds of places, each
 * time the files are rebuilt as the cut may have left them, opened, and compared with what had been acknowledged.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@holdfast/server/conformance';
import { DiskImage } from './disk-image.ts';
import { buildRecorder, record, type DiskEvent, type SyncMode } from './recording.ts';
import { isFlawless, judge, type Verdict } from './verdict.ts';

export interface PowerLossRow {
  readonly mode: SyncMode;
  /** What the recorded run did until its end. */
  readonly run: { readonly batches: number; readonly writes: number; readonly syncs: number };
  readonly cuts: number;
  /** Cuts with something unsynced: where there was something to lose. */
  readonly cutsUnsynced: number;
  readonly cutsLost: number;
  /** The most acknowledged batches that one cut cost. */
  readonly lostMax: number;
  readonly cutsDamaged: number;
  readonly cutsTorn: number;
  readonly cutsHoled: number;
  readonly cutsOther: number;
  /** Cuts with any of these. */
  readonly cutsFlawed: number;
  /** What was wrong at the first cut where anything was. */
  readonly example: string | undefined;
}

export interface PowerLossPlan {
  readonly modes: readonly SyncMode[];
  readonly cuts: number;
  readonly seed: number;
  /** Batches acknowledged in each life of the writer. */
  readonly rounds: readonly number[];
  readonly report?: (line: string) => void;
}

/**
 * The third life is longer than the write-ahead log may grow (48 MB, some 1,450 batches), so that it is copied to the file and
 * begun anew over its own old frames while the writer runs; the others are opened with a log to recover.
 */
export const LONG_ROUNDS: readonly number[] = [60, 60, 1_800, 60];

/** One row per mode. Needs what `canRecord` asks for. */
export async function testPowerLoss({ modes, cuts, seed, rounds, report = () => {} }: PowerLossPlan): Promise<PowerLossRow[]> {
  const workshop = mkdtempSync(join(tmpdir(), 'holdfast-power-'));
  try {
    const recorder = buildRecorder(workshop);
    const rows: PowerLossRow[] = [];
    for (const [index, mode] of modes.entries()) {
      const random = seededRandom(seed + index);
      const events = await record(recorder, workshop, { mode, rounds, random });
      report(`${mode}: ${events.length} events recorded`);
      rows.push(await rowOf(mode, events, cutsOf(events, cuts, random), random, workshop, report));
    }
    return rows;
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
}

/** Why the result is no good: `full` must lose nothing, and the others must, or the test is blind. */
export function failuresOf(rows: readonly PowerLossRow[]): string[] {
  return rows.flatMap(({ mode, cutsFlawed, example }) => {
    if (mode === 'full') return cutsFlawed === 0 ? [] : [`full: something was wrong after ${cutsFlawed} cuts; the first: ${example}`];
    return cutsFlawed > 0 ? [] : [`${mode}: nothing was lost, so the test sees nothing`];
  });
}

/** Moments of the run, ascending: a third of them anywhere, a third right behind acknowledgements, a third beside what is no mere write to the log. */
function cutsOf(events: readonly DiskEvent[], count: number, random: () => number): number[] {
  const anywhere = events.map((_, index) => index + 1);
  const promised = anywhere.filter((cut) => events[cut - 1]!.type === 'P');
  const unusual = anywhere.filter((cut) =>
    events.slice(cut - 1, cut + 1).some(({ type, name }) => type !== 'P' && !(type === 'W' && name.endsWith('-wal'))),
  );
  const kinds = [anywhere, promised, unusual];
  return Array.from({ length: count }, (_, index) => {
    const kind = kinds[index % kinds.length]!;
    return kind[Math.floor(random() * kind.length)]!;
  }).sort((a, b) => a - b);
}

async function rowOf(
  mode: SyncMode,
  events: readonly DiskEvent[],
  cuts: readonly number[],
  random: () => number,
  workshop: string,
  report: (line: string) => void,
): Promise<PowerLossRow> {
  const disk = new DiskImage();
  const acknowledged = new Set<number>();
  const verdicts: (Verdict & { readonly cut: number; readonly isUnsynced: boolean })[] = [];
  let done = 0;
  for (const cut of cuts) {
    for (const event of events.slice(done, cut)) {
      disk.take(event);
      if (event.type === 'P') acknowledged.add(Number(event.bytes.toString()));
    }
    done = cut;
    const verdict = await judgeFiles(join(workshop, 'cut'), disk.afterCut(random), acknowledged, random);
    verdicts.push({ ...verdict, cut, isUnsynced: disk.unsyncedCount > 0 });
    if (verdicts.length % 50 === 0) report(`${mode}: ${verdicts.length} of ${cuts.length} cuts`);
  }
  const countOf = (isCounted: (verdict: Verdict) => boolean): number => verdicts.filter(isCounted).length;
  const flawed = verdicts.find((verdict) => !isFlawless(verdict));
  return {
    mode,
    run: {
      batches: events.filter(({ type }) => type === 'P').length,
      writes: events.filter(({ type }) => type === 'W').length,
      syncs: events.filter(({ type }) => type === 'S').length,
    },
    cuts: verdicts.length,
    cutsUnsynced: verdicts.filter(({ isUnsynced }) => isUnsynced).length,
    cutsLost: countOf(({ lostCount }) => lostCount > 0),
    lostMax: Math.max(...verdicts.map(({ lostCount }) => lostCount)),
    cutsDamaged: countOf(({ damage }) => damage !== undefined),
    cutsTorn: countOf(({ isTorn }) => isTorn),
    cutsHoled: countOf(({ isHoled }) => isHoled),
    cutsOther: countOf(({ other }) => other !== undefined),
    cutsFlawed: countOf((verdict) => !isFlawless(verdict)),
    example: flawed && JSON.stringify(flawed),
  };
}

async function judgeFiles(
  folder: string,
  files: ReadonlyMap<string, Buffer>,
  acknowledged: ReadonlySet<number>,
  random: () => number,
): Promise<Verdict> {
  mkdirSync(folder);
  for (const [name, content] of files) writeFileSync(join(folder, name), content);
  // Memory that was mapped is worth nothing after a cut, whatever is in it.
  if (files.has('holdfast.db')) writeFileSync(join(folder, 'holdfast.db-shm'), Buffer.alloc(32_768, Math.floor(random() * 256)));
  try {
    return await judge(folder, acknowledged);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
