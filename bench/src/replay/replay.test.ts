/**
 * The replay itself, small: one file, a few cuts, one kill of the server. The server and the killed observer are the built
 * programs, in processes of their own.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { OBSERVERS } from './audience.ts';
import { ircLog } from './irc.testing.ts';
import { isUtterance, linesOf, parseLine } from './irc-log.ts';
import { replay, type ReplayResult } from './replay.ts';

const CUTS = 12;
const TIMEOUT_MS = 180_000;
const SKIPPED = 'skipped: set HOLDFAST_IRC to a folder of IRC logs (https://github.com/jkkummerfeld/irc-disentanglement, CC-BY-4.0)';

function replayOne(folder: string): Promise<ReplayResult> {
  return replay({ folder, filesMax: 1, inFlight: 64, cutCount: CUTS, killCount: 1, seed: 7, isMemory: false, progress: () => {} });
}

function expectPerfect(result: ReplayResult, publishedCount: number): void {
  expect(result.ledger.lines()).toEqual([]);
  expect(result.publishedCount).toBe(publishedCount);
  expect(result.tally.acknowledged).toBe(publishedCount);
  expect(result.observed).toEqual(Object.fromEntries(OBSERVERS.map((name) => [name, publishedCount])));
  const { between, sending, receiving } = result.cuts;
  expect({ cuts: between + sending + receiving, kills: result.killCount, observerKills: result.observerKills }).toEqual({
    cuts: CUTS,
    kills: 1,
    observerKills: 2,
  });
}

describe('the replay', () => {
  test(
    'of a log made for it: nothing lost, nothing twice, in order, and every line accounted for',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-irc-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const text = ircLog(7, 600);
      writeFileSync(join(folder, 'made.txt'), text);
      writeFileSync(join(folder, 'LICENSE.txt'), '[00:00] <nobody> not a log\n');
      const result = await replayOne(folder);
      const lines = linesOf(text).map(parseLine);
      expectPerfect(result, lines.filter(isUtterance).length);
      for (const [kind, count] of Object.entries(result.lineCounts))
        expect([kind, count]).toEqual([kind, lines.filter((line) => line.kind === kind).length]);
      expect(result.fileCount).toBe(1);
    },
    TIMEOUT_MS,
  );

  const real = process.env['HOLDFAST_IRC'];
  if (real === undefined) console.warn(SKIPPED);
  test.skipIf(real === undefined)(
    real === undefined ? SKIPPED : 'of a real log',
    async () => {
      const result = await replayOne(real!);
      expectPerfect(result, result.lineCounts.message + result.lineCounts.action + result.lineCounts.notice);
      expect(result.publishedCount).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});
