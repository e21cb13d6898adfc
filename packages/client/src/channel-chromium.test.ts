/** The conformance table in a real browser: all cases in one page of headless Chromium. */

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { build } from 'esbuild';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { casesOn, expectedOn } from './channel-conformance.testing.ts';
import { ScriptedPeer } from './scripted-peer.testing.ts';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
];

let peer: ScriptedPeer;
let browser: Browser;
let outcomes: readonly unknown[];
let unhandled: readonly string[];

beforeAll(async () => {
  if (!existsSync(CHROMIUM))
    throw new Error(`There is no chromium at ${CHROMIUM}: "apt-get install chromium", or name one in the variable CHROMIUM.`);
  peer = await ScriptedPeer.listen();
  const closed = createServer();
  closed.listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const deadHost = `127.0.0.1:${(closed.address() as AddressInfo).port}`;
  closed.close();
  const { outputFiles } = await build({
    entryPoints: [new URL('channel-page.testing.ts', import.meta.url).pathname],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    // As an application's bundle, but from the sources.
    conditions: ['@holdfast/source'],
    alias: { '#socket-node': new URL('socket-browser.ts', import.meta.url).pathname },
  });
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  const page = await browser.newPage();
  await page.goto(`http://${peer.host}/page`);
  await page.addScriptTag({ content: outputFiles[0]!.text });
  const run = `runConformance(${JSON.stringify(peer.host)}, ${JSON.stringify(deadHost)})`;
  ({ outcomes, unhandled } = await page.evaluate<{ outcomes: unknown[]; unhandled: string[] }>(run));
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await peer?.close();
});

describe('a channel in Chromium', () => {
  it.each(casesOn('chromium').map((one, at) => ({ name: one.name, one, at })))('$name', ({ one, at }) => {
    expect(outcomes[at]).toEqual(expectedOn(one, 'chromium'));
  });

  it('leaves no promise unhandled', () => {
    expect(unhandled).toEqual([]);
  });
});
