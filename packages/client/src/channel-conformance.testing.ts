/** The table of what a channel does, over every platform; and how it is run. */

import { type ConformanceCase, type Kit, type Platform } from './channel-case.testing.ts';
import { CLOSE_CASES } from './channel-close.testing.ts';
import { FAILURE_CASES } from './channel-failure.testing.ts';
import { LIFE_CASES } from './channel-life.testing.ts';
import { PAYLOAD_CASES } from './channel-payload.testing.ts';

export const CONFORMANCE_CASES: readonly ConformanceCase[] = [...CLOSE_CASES, ...PAYLOAD_CASES, ...FAILURE_CASES, ...LIFE_CASES];

/** Those that mean something there. */
export function casesOn(platform: Platform): readonly ConformanceCase[] {
  return platform === 'memory' ? CONFORMANCE_CASES.filter(({ raw = false }) => !raw) : CONFORMANCE_CASES;
}

export function expectedOn({ expect, differs }: ConformanceCase, platform: Platform): unknown {
  return differs !== undefined && platform in differs ? differs[platform] : expect;
}

/** A case's outcome as JSON; of one that failed, its error. */
export async function runCase({ run }: ConformanceCase, kit: Kit): Promise<unknown> {
  try {
    return JSON.parse(JSON.stringify((await run(kit)) ?? null)) as unknown;
  } catch (error) {
    return `failed: ${String(error)}`;
  }
}
