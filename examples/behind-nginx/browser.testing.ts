/** Headless Chromium with a home of its own: names lead to this machine, and certificates are examined as ever. */

import { chromium, type Browser, type Page } from 'playwright-core';
import { CHROMIUM } from './program.testing.ts';
import type { Greeting, Seen } from './page.ts';

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
];

/** `home` has the database of certificates; every one of `hosts` is 127.0.0.1. */
export function launchChromium(home: string, hosts: readonly string[]): Promise<Browser> {
  const rules = hosts.map((host) => `MAP ${host} 127.0.0.1`).join(',');
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [...ARGUMENTS, `--host-resolver-rules=${rules}`],
    env: { ...(process.env as Record<string, string>), HOME: home },
  });
}

/** The page of `page.ts`, in a tab. */
export class Tab {
  readonly page: Page;

  static async open(browser: Browser, url: string): Promise<Tab> {
    const page = await browser.newPage();
    await page.goto(url);
    return new Tab(page);
  }

  constructor(page: Page) {
    this.page = page;
  }

  async follow(subject: string, topic: string): Promise<void> {
    await this.page.evaluate(`follow(${JSON.stringify(subject)}, ${JSON.stringify(topic)})`);
  }

  async renew(): Promise<void> {
    await this.page.evaluate('renew()');
  }

  greet(url: string, token?: string): Promise<Greeting> {
    return this.page.evaluate<Greeting>(`greet(${JSON.stringify(url)}, ${JSON.stringify(token)})`);
  }

  seen(): Promise<Seen> {
    return this.page.evaluate<Seen>('seen');
  }

  /** Waits until this is true of `seen`, an expression; what was seen then. */
  async until(condition: string): Promise<Seen> {
    await this.page.waitForFunction(`(({ entries, pauses, sent, closes, phase }) => ${condition})(seen)`, undefined, { polling: 10 });
    return this.seen();
  }

  close(): Promise<void> {
    return this.page.close();
  }
}
