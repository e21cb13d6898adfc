/** The page as people use it, in a real browser, on a real server: two phones side by side. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, Person } from './browser.testing.ts';
import { DemoServer } from './server.testing.ts';

let folder: string;
let browser: Browser;
let server: DemoServer;
let people: Person[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
  browser = await launchChromium();
  const site = join(folder, 'site');
  buildDemo(site);
  server = new DemoServer(site);
  await server.start();
});

afterAll(async () => {
  await browser?.close();
  await server?.kill();
  rmSync(folder, { recursive: true, force: true });
});

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await takePictures();
  const complaints = people.flatMap((person) => person.complaints);
  for (const person of people) await person.leave();
  people = [];
  expect(complaints).toEqual([]);
});

/** What everybody saw when a test failed; the folder stays. */
async function takePictures(): Promise<void> {
  const pictures = mkdtempSync(join(tmpdir(), 'holdfast-demo-pictures-'));
  for (const { name, page } of people) await page.screenshot({ path: join(pictures, `${name}.png`) });
  process.stderr.write(`What the pages showed is in ${pictures}\n`);
}

/** As "npm start" builds it: a process of its own, without the variables of the test's. */
function buildDemo(outDir: string): void {
  const vite = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin/vite.js');
  const args = [vite, 'build', '--logLevel', 'warn', '--outDir', outDir, '--emptyOutDir'];
  execFileSync(process.execPath, args, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, NODE_ENV: 'production' },
  });
}

async function enter(name: string, room: string): Promise<Person> {
  const person = await Person.enter(browser, server.url, name, room);
  people.push(person);
  return person;
}

/** A generous bound for something that is awaited, not asserted: the machine may be busy. */
const soon = { timeout: 20_000, interval: 20 };

function stored(texts: readonly string[], isMine: boolean): readonly object[] {
  return texts.map((text) => ({ text, state: 'stored', isMine }));
}

describe('two people in a room', () => {
  it('see each other, see each other type, and get what the other says', async () => {
    const ada = await enter('Ada', 'harbour');
    const ben = await enter('Ben', 'harbour');
    await expect.poll(() => ada.button('2 people here').count(), soon).toBe(1);
    await expect.poll(() => ben.button('2 people here').count(), soon).toBe(1);

    await ada.field.pressSequentially('Hello');
    await expect.poll(() => ben.typing.textContent(), soon).toBe('Ada is typing');
    await ada.field.press('Enter');
    await expect.poll(() => ben.messages(), soon).toEqual(stored(['Hello'], false));
    await expect.poll(() => ben.typing.textContent(), soon).toBe('');
    await expect.poll(() => ada.messages(), soon).toEqual(stored(['Hello'], true));
    expect(await ada.field.inputValue()).toBe('');

    await ben.leave();
    await expect.poll(() => ada.button('1 person here').count(), soon).toBe(1);
  });

  it('get what was written with the plug out once each and in order, even after a reload', async () => {
    const ada = await enter('Ada', 'tunnel');
    const ben = await enter('Ben', 'tunnel');
    await ada.say('before');
    await expect.poll(() => ben.messages(), soon).toEqual(stored(['before'], false));

    await ada.button('Pull the plug').click();
    await expect.poll(() => ada.link.getByRole('status').textContent(), soon).toBe('Unplugged · nothing is waiting');
    const written = ['one', 'two', 'three'];
    for (const text of written) await ada.say(text);
    await expect.poll(() => ada.link.getByRole('status').textContent(), soon).toBe('Unplugged · 3 messages waiting');
    expect((await ada.messages()).map(({ state }) => state)).toEqual(['stored', 'waiting', 'waiting', 'waiting']);

    await ada.page.reload();
    await expect.poll(() => ada.link.getByRole('status').textContent(), soon).toBe('Unplugged · 3 messages waiting');
    expect(await ada.messages()).toEqual(written.map((text) => ({ text, state: 'waiting', isMine: true })));
    expect(await ben.texts()).toEqual(['before']);

    await ada.say('four');
    await ada.button('Plug in').click();
    await expect.poll(() => ben.messages(), soon).toEqual(stored(['before', ...written, 'four'], false));
    await expect.poll(() => ada.messages(), soon).toEqual(stored(['before', ...written, 'four'], true));
    await expect.poll(() => ada.link.getByRole('status').textContent(), soon).toBe('Connected · everything is delivered');
    expect(await ada.tally()).toMatchObject({ received: '5', duplicates: '0', missing: '0' });
    expect(await ben.tally()).toMatchObject({ received: '5', duplicates: '0', missing: '0', 'cuts survived': '0' });
  });

  it('get it although the server was killed in between, and see that it was', async () => {
    const ada = await enter('Ada', 'storm');
    const ben = await enter('Ben', 'storm');
    await ada.say('calm');
    await expect.poll(() => ben.texts(), soon).toEqual(['calm']);

    await server.kill();
    try {
      await expect.poll(() => ada.link.getByRole('status').textContent(), soon).toMatch(/^Reconnecting · nothing is waiting/);
      await ada.say('mast');
      await ben.say('sail');
      await expect.poll(() => ada.link.getByRole('status').textContent(), soon).toMatch(/^Reconnecting · 1 message waiting/);
      await expect.poll(() => ada.link.locator('strong').textContent(), soon).toMatch(/^Reconnecting in \d+ s$/);
      expect(await ben.texts()).toEqual(['calm', 'sail']);
    } finally {
      await server.start();
    }

    for (const person of [ada, ben]) {
      await expect.poll(() => person.link.getByRole('status').textContent(), soon).toBe('Connected · everything is delivered');
    }
    await expect.poll(async () => (await ada.texts()).toSorted(), soon).toEqual(['calm', 'mast', 'sail']);
    await expect.poll(() => ben.texts(), soon).toEqual(await ada.texts());
    for (const person of [ada, ben]) {
      expect(await person.tally()).toEqual({ received: '3', duplicates: '0', missing: '0', 'cut survived': '1' });
    }
  });
});

describe('a message', () => {
  it('that nobody knows the outcome of is left to whoever wrote it', async () => {
    const ada = await enter('Ada', 'wreck');
    await ada.say('first');
    await expect.poll(() => ada.messages(), soon).toEqual(stored(['first'], true));

    const { arrivedCount } = server;
    server.isStoreStuck = true;
    await ada.say('perhaps');
    await ada.say('perhaps not');
    await expect.poll(() => server.arrivedCount, soon).toBe(arrivedCount + 2);
    await expect.poll(() => ada.link.getByRole('status').textContent(), soon).toBe('Connected · 2 messages on the way');
    await server.kill();
    server.forget();
    await server.start();

    await expect.poll(() => ada.link.getByRole('status').textContent(), soon).toBe('Connected · everything is delivered · 2 to decide');
    const states = async (): Promise<readonly string[]> => (await ada.messages()).map(({ text, state }) => `${text}: ${state}`);
    expect(await states()).toEqual(['perhaps: uncertain', 'perhaps not: uncertain']);
    await expect
      .poll(() => ada.page.locator('.gap').textContent(), soon)
      .toBe('The server began this room anew. What was said before is gone.');
    expect(await ada.page.getByRole('alert').count()).toBe(0);

    await ada.button('Discard').last().click();
    await expect.poll(states, soon).toEqual(['perhaps: uncertain']);
    await ada.button('Send again').click();
    await expect.poll(states, soon).toEqual(['perhaps: stored']);
    await expect.poll(() => ada.link.getByRole('status').textContent(), soon).toBe('Connected · everything is delivered');
  });

  it('that is refused is given back with the reason', async () => {
    const ada = await enter('Ada', 'museum');
    await ada.say('May I touch it?');
    const alert = ada.page.getByRole('alert');
    await expect
      .poll(() => alert.locator('span').textContent(), soon)
      .toBe('Not sent: May I touch it? "Ada" may not publish "chat/museum"');
    expect(await ada.texts()).toEqual([]);
    await ada.button('Edit').click();
    expect(await ada.field.inputValue()).toBe('May I touch it?');
    expect(await alert.count()).toBe(0);
  });

  it('keeps its writing direction, and is text whatever it holds', async () => {
    const ada = await enter('Ada', 'tongues');
    const texts = ['مرحبا من السفينة', '<img src=x onerror="document.title=1">', 'two\nlines', '𝒳 👩‍👩‍👧 é'];
    for (const text of texts) await ada.say(text);
    await expect.poll(() => ada.messages(), soon).toEqual(stored(texts, true));
    const directions = await ada.page.locator('.text').evaluateAll((all) => all.map((text) => getComputedStyle(text).direction));
    expect(directions).toEqual(['rtl', 'ltr', 'ltr', 'ltr']);
  });
});

describe('history', () => {
  it('comes as one scrolls up, without a hole and without moving what one reads', async () => {
    const texts = Array.from({ length: 130 }, (_, index) => `line ${index + 1}`);
    const ada = await enter('Ada', 'archive');
    await fill(ada, 'chat/archive', texts);
    const ben = await enter('Ben', 'archive');
    await expect.poll(() => ben.texts(), soon).toEqual(texts.slice(-40));
    expect(await ben.page.locator('.message').last().isVisible()).toBe(true);

    const log = ben.page.getByRole('log');
    const read = ben.page.locator('.text', { hasText: /^line 92$/ });
    await log.evaluate((element) => element.scrollTo({ top: 100 }));
    const before = await read.boundingBox();
    await log.evaluate((element) => element.scrollTo({ top: 30 }));
    await expect.poll(() => ben.texts(), soon).toEqual(texts.slice(-90));
    const after = await read.boundingBox();
    expect(Math.abs(after!.y - before!.y - 70)).toBeLessThan(2);

    await ben.button('Earlier messages').focus();
    await ben.page.keyboard.press('Enter');
    await expect.poll(() => ben.texts(), soon).toEqual(texts);
    await expect.poll(() => ben.page.locator('.beginning').textContent(), soon).toBe('This is where #archive begins.');
    expect(await ben.tally()).toMatchObject({ received: '130', duplicates: '0', missing: '0' });
  });
});

describe('arriving', () => {
  it('asks for a name once, and works by keyboard alone', async () => {
    const ada = await enter('', 'quay');
    const { page } = ada;
    await expect.poll(() => page.evaluate(() => document.activeElement?.id), soon).toBe('name');
    await page.keyboard.type('  Ada   L ');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.people').textContent(), soon).toBe('ALAda Lyou');

    expect(new URL(page.url()).search).toBe('?room=quay');
    await page.reload();
    await expect.poll(() => page.locator('.people').textContent(), soon).toBe('ALAda Lyou');
    const reached = [];
    for (let press = 0; press < 4; press += 1) {
      await page.keyboard.press('Tab');
      reached.push(await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent));
    }
    expect(reached).toEqual(['1 person here', 'Pull the plug', 'Messages in quay', 'Message to quay']);

    await page.getByRole('button', { name: '1 person here' }).press('Enter');
    const second = page.getByRole('link', { name: 'Open a second window' });
    expect(await second.isVisible()).toBe(true);
    const [other] = await Promise.all([page.waitForEvent('popup'), second.click()]);
    await expect.poll(() => page.getByRole('button', { name: '2 people here' }).count(), soon).toBe(1);
    expect(new URL(other.url()).search).toBe('?room=quay&as=Ada');
  });

  it.each([320, 390, 860, 1280])('fits a window %i pixels wide', async (width) => {
    const ada = await enter('Ada', 'narrows');
    await ada.page.setViewportSize({ width, height: 720 });
    await ada.say('A_very_long_word_'.repeat(12));
    await expect.poll(async () => (await ada.messages()).at(-1)?.state, soon).toBe('stored');
    const overflow = await ada.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBe(0);
    expect(await ada.field.isVisible()).toBe(true);
  });
});

/** Publishes texts by hand, over a socket of the page's own. */
async function fill(person: Person, topic: string, texts: readonly string[]): Promise<void> {
  await person.page.evaluate(
    ({ topic: name, texts: all }) =>
      new Promise<void>((resolve) => {
        const socket = new WebSocket(location.origin.replace('http', 'ws'), 'holdfast.v1');
        const send = (index: number): void => {
          if (index === all.length) return socket.close();
          socket.send(JSON.stringify({ type: 'publish', topic: name, producer: 'scribe', seq: index + 1, data: { text: all[index] } }));
        };
        socket.addEventListener('open', () => socket.send(JSON.stringify({ type: 'hello', client: 'scribe', token: 'Scribe' })));
        socket.addEventListener('close', () => resolve());
        socket.addEventListener('message', ({ data }) => {
          const message = JSON.parse(data as string) as { type: string; seq: number };
          if (message.type === 'welcome') send(0);
          if (message.type === 'ack') send(message.seq);
        });
      }),
    { topic, texts },
  );
}
