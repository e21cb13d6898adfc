/**
 * What every `TopicStore` must pass, as a list that any test runner can walk:
 *
 *     for (const storeCase of storeConformance) {
 *       const lack = lackOf(storeCase, harness);
 *       test.skipIf(lack)(storeCase.name, () => storeCase.run(harness));
 *     }
 *
 * The suite knows no store: it opens, restarts and damages them through a `StoreHarness`. What a store cannot have by
 * its nature (memory has no disk to fill) its harness declares in words, so that a skipped case is seen and explained.
 */

import type { StoreCase, StoreHarness } from './conformance/harness.ts';
import { applyCases } from './conformance/apply.ts';
import { backupCases } from './conformance/backup.ts';
import { damageCases } from './conformance/damage.ts';
import { lifeCases } from './conformance/life.ts';
import { outcomeCases } from './conformance/outcomes.ts';
import { readCases } from './conformance/read.ts';
import { registerCases } from './conformance/registers.ts';
import { retentionCases } from './conformance/retention.ts';

export { lackOf } from './conformance/harness.ts';
export type {
  BackupAbility,
  DamageAbility,
  KillAbility,
  Lack,
  StoreAbility,
  StoreCase,
  StoreHarness,
  TinyDisk,
  TinyDiskAbility,
} from './conformance/harness.ts';
export { MiniSequencer } from './conformance/mini-sequencer.ts';
export { assertNothingLost, seededRandom, writeUntilKilled } from './conformance/killed-writer.ts';

/** Every case, in teaching order. Each opens its own store and closes it; they may run side by side. */
export const storeConformance: readonly StoreCase<StoreHarness>[] = [
  ...applyCases,
  ...readCases,
  ...outcomeCases,
  ...registerCases,
  ...retentionCases,
  ...lifeCases,
  ...backupCases,
  ...damageCases,
];
