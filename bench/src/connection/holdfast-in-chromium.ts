/** Ours in a page of Chromium, where only whole messages tell that a link is alive: the same client, the same hub. */

import { existsSync } from 'node:fs';
import { chromium, type Page } from 'playwright-core';
import { bundle } from './bundle-size.ts';
import type { Caller, Contender, ContenderServer, ServeSettings } from './contender.ts';
import { DOWN, holdfastClient, isConnectedPhase } from './holdfast-client.ts';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** The measures that ask what a platform can notice; the others would measure the page. */
export const holdfastInChromium: Contender = {
  name: 'holdfast client in Chromium',
  measures: ['half-open link', 'slow link'],
  package: undefined,
  isOurs: true,
  heartbeat: 'of the server',
  code: '',
  serve,
};

export function hasChromium(): boolean {
  return existsSync(CHROMIUM);
}

/** What runs in the page; it tells of itself through `tell`. */
const PROGRAM = `
  import { createClient } from '@holdfast/client';
  globalThis.start = (url, name) => {
    const client = createClient({ url, token: name });
    let pushed = 0;
    const say = () => void globalThis.tell(name, client.status.getSnapshot().phase, pushed);
    client.status.subscribe(say);
    void (async () => {
      for await (const item of client.topic('${DOWN}')) {
        if (item.type === 'entry') pushed += 1;
        say();
      }
    })();
  };`;

async function serve(settings: ServeSettings): Promise<ContenderServer> {
  const server = await holdfastClient.serve(settings);
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic'],
  });
  const page = await browser.newPage();
  const callers = new Map<string, PageCaller>();
  await page.exposeFunction('tell', (name: string, phase: string, pushed: number) => callers.get(name)?.hear(phase, pushed));
  // Any page of this machine: the hub answers it with 404, and the origin is what counts.
  await page.goto(`http://127.0.0.1:${server.port}/`);
  await page.addScriptTag({ content: await bundle(PROGRAM, 'iife') });
  return {
    ...server,
    connect: (port, name) => {
      const caller = new PageCaller(page, port, name);
      callers.set(name, caller);
      return caller;
    },
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}

class PageCaller implements Caller {
  readonly acknowledgedCount: undefined;
  pushedCount = 0;
  isConnected = false;

  constructor(page: Page, port: number, name: string) {
    void page.evaluate(`start('ws://127.0.0.1:${port}', '${name}')`);
  }

  hear(phase: string, pushed: number): void {
    this.isConnected = isConnectedPhase(phase);
    this.pushedCount = pushed;
  }

  send(): void {
    throw new Error('nothing is sent from the page');
  }

  /** It goes with its page. */
  async close(): Promise<void> {}
}
