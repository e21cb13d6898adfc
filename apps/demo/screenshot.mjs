/**
 * Takes the pictures of the documents: `node apps/demo/screenshot.mjs`, after `npm run build`. Two people talk on a real
 * server; one pulls the plug and goes on writing.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { attach, createHub, createMemoryStore } from '@holdfast/server';
import { chromium } from 'playwright-core';
import { build } from 'vite';

const IMAGES = new URL('../../docs/images/', import.meta.url);
const PHONE = { width: 390, height: 760 };
/** Device pixels per pixel: sharp, and small enough for a document. */
const SCALE = 1.5;
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const TALK = [
  ['Elif', 'Are you on the ferry yet?'],
  ['Jonas', 'Just left the harbour. Last bars for a while'],
  ['Elif', 'Write anyway, it keeps what you say'],
  ['Jonas', 'And if I close the page?'],
  ['Elif', 'Still. Once each, and in order'],
];
const WAITING = ['No signal now', 'Gulls everywhere, and a seal', 'Tell Mum I will call later'];

const folder = mkdtempSync(join(tmpdir(), 'holdfast-pictures-'));
const hub = createHub({ store: createMemoryStore() });
const http = createServer((request, response) => {
  const path = request.url.split('?')[0];
  const file = join(folder, path === '/' ? 'index.html' : path);
  response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(readFileSync(file));
});
let browser;
try {
  process.env.NODE_ENV = 'production';
  await build({ root: import.meta.dirname, build: { outDir: folder, emptyOutDir: true }, logLevel: 'warn' });
  attach(http, { hub });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  await takePictures(browser, `http://127.0.0.1:${http.address().port}/`);
} finally {
  await browser?.close();
  await hub.close();
  http.close();
  rmSync(folder, { recursive: true, force: true });
}

async function takePictures(chrome, url) {
  const jonas = await enter(chrome, url, 'Jonas', 'light');
  const elif = await enter(chrome, url, 'Elif', 'dark');
  for (const page of [jonas, elif]) await page.getByRole('button', { name: '2 people here' }).waitFor();
  for (const [name, text] of TALK) {
    await say(name === 'Jonas' ? jonas : elif, text);
    for (const page of [jonas, elif]) await page.locator('[data-state=stored]', { hasText: text }).waitFor();
  }
  await jonas.getByRole('button', { name: 'Pull the plug' }).click();
  for (const text of WAITING) await say(jonas, text);
  await jonas.getByText('3 messages waiting', { exact: true }).waitFor();
  await elif.getByRole('textbox').pressSequentially('Still there?');
  const left = await picture(jonas);
  const right = await picture(elif);
  await compose(chrome, [left, right], 'demo.png');

  await elif.getByRole('textbox').press('Enter');
  await jonas.getByRole('button', { name: 'Plug in' }).click();
  await elif.locator('.message', { hasText: WAITING.at(-1) }).waitFor();
  await jonas.getByText('everything is delivered', { exact: true }).waitFor();
  await compose(chrome, [await picture(elif)], 'demo-phone.png');
}

async function enter(chrome, url, name, colorScheme) {
  const context = await chrome.newContext({
    viewport: PHONE,
    deviceScaleFactor: SCALE,
    colorScheme,
    locale: 'en-GB',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  await page.goto(`${url}?room=lobby&as=${name}`);
  return page;
}

async function say(page, text) {
  await page.getByRole('textbox').fill(text);
  await page.getByRole('textbox').press('Enter');
}

/** What a phone shows, as an address that an image can have. */
async function picture(page) {
  await page.evaluate(() => document.activeElement?.blur());
  const bytes = await page.screenshot({ animations: 'disabled', caret: 'hide' });
  return `data:image/png;base64,${bytes.toString('base64')}`;
}

/** Phones side by side, on nothing: the picture stands on light pages and on dark ones. */
async function compose(chrome, pictures, name) {
  const page = await chrome.newPage({ deviceScaleFactor: SCALE });
  await page.setContent(`
    <style>
      body { display: inline-flex; gap: 40px; margin: 0; padding: 0; }
      img { width: ${PHONE.width}px; border: 8px solid #9fb0aa; border-radius: 44px; }
    </style>
    ${pictures.map((source) => `<img src="${source}">`).join('')}`);
  await page.locator('img').last().waitFor();
  await page.locator('body').screenshot({ path: new URL(name, IMAGES).pathname, omitBackground: true });
  await page.close();
}
