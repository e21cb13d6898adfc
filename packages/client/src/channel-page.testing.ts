/** The conformance table within a page of a browser: bundled, loaded, and called by `channel-chromium.test.ts`. */

import { Kit } from './channel-case.testing.ts';
import { casesOn, runCase } from './channel-conformance.testing.ts';
import type { Report } from './channel-script.testing.ts';

/** The outcomes in the order of the table, and the promises that nobody awaited. */
async function runConformance(host: string, deadHost: string): Promise<{ outcomes: unknown[]; unhandled: string[] }> {
  const unhandled: string[] = [];
  globalThis.addEventListener('unhandledrejection', ({ reason }) => unhandled.push(String(reason)));
  const kit = new Kit({
    platform: 'chromium',
    host,
    deadHost,
    base: {},
    report: async (id) => (await (await fetch(`http://${host}/report?id=${id}`)).json()) as Report,
  });
  const outcomes: unknown[] = [];
  // One after the other: a browser opens no second socket to a host while one waits for its handshake.
  for (const one of casesOn('chromium')) {
    const deadline = new Promise((resolve) => setTimeout(() => resolve('failed: no outcome within 20 s'), 20_000));
    outcomes.push(await Promise.race([runCase(one, kit), deadline]));
  }
  await new Promise((resolve) => setTimeout(resolve, 0));
  return { outcomes, unhandled };
}

Object.assign(globalThis, { runConformance });
