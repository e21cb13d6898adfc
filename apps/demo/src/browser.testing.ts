/** Chromium with the demo in it: pages of people, and what they see. */

import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContext, type ConsoleMessage, type Locator, type Page } from 'playwright-core';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
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

const PHONE: { readonly width: number; readonly height: number } = { width: 390, height: 844 };

/** Throws a sentence that says what to do where there is no chromium. */
export function launchChromium(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) {
    throw new Error(
      `The demo's tests need chromium, and there is none at ${CHROMIUM}: "apt-get install chromium", or name one in the variable CHROMIUM.`,
    );
  }
  return chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
}

/** One person with a browser of their own. */
export class Person {
  readonly name: string;
  readonly page: Page;
  /** What the page complained of. */
  readonly complaints: string[] = [];
  readonly #context: BrowserContext;

  static async enter(browser: Browser, url: string, name: string, room: string): Promise<Person> {
    const context = await browser.newContext({ viewport: PHONE, hasTouch: true, locale: 'en-GB' });
    const person = new Person(name, context, await context.newPage());
    await person.page.goto(`${url}?${new URLSearchParams({ room, as: name }).toString()}`);
    return person;
  }

  constructor(name: string, context: BrowserContext, page: Page) {
    this.name = name;
    this.page = page;
    this.#context = context;
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      if (isComplaint(message)) this.complaints.push(message.text());
    });
  }

  get field(): Locator {
    return this.page.getByRole('textbox', { name: /^Message to/ });
  }

  get link(): Locator {
    return this.page.getByRole('region', { name: 'Connection' });
  }

  get typing(): Locator {
    return this.page.locator('.typing');
  }

  /** A button by its words. */
  button(name: string): Locator {
    return this.page.getByRole('button', { name, exact: true });
  }

  async say(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  /** The messages in their order, each with its state. */
  messages(): Promise<readonly { readonly text: string; readonly state: string; readonly isMine: boolean }[]> {
    return this.page.locator('.message').evaluateAll((messages) =>
      messages.map((message) => ({
        text: message.querySelector('.text')!.textContent,
        state: message.getAttribute('data-state')!,
        isMine: message.getAttribute('data-mine') === 'true',
      })),
    );
  }

  async texts(): Promise<readonly string[]> {
    return (await this.messages()).map(({ text }) => text);
  }

  /** The strip of counts: `{received: '3', ...}`. */
  tally(): Promise<Readonly<Record<string, string>>> {
    return this.page
      .locator('.tally > div')
      .evaluateAll((rows) =>
        Object.fromEntries(rows.map((row) => [row.querySelector('dt')!.textContent, row.querySelector('dd')!.textContent])),
      );
  }

  leave(): Promise<void> {
    return this.#context.close();
  }
}

/** Chromium itself writes down each socket that could not be opened; nothing in the page can prevent that. */
function isComplaint(message: ConsoleMessage): boolean {
  return ['error', 'warning'].includes(message.type()) && !/^WebSocket connection to '.*' failed/.test(message.text());
}
