/**
 * A browser behind nginx, with nothing simulated: Chromium, Debian's nginx with deploy/nginx.conf, the built server with
 * deploy/holdfast.json, `curl` and Python. What comes out is told in docs/operations.md, "Tried: a browser behind nginx".
 */

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, Tab } from './browser.testing.ts';
import { makeHome } from './certificate.testing.ts';
import type { Greeting } from './page.ts';
import { missingPackages, PYTHON } from './program.testing.ts';
import { APP_HOST, FOREIGN_HOST, HOST, Site } from './site.testing.ts';

const run = promisify(execFile);
const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const missing = missingPackages();
if (missing.length > 0) console.warn(`SKIPPED: a browser behind nginx. Missing: apt-get install ${missing.join(' ')}`);

/** A figure of this run, for the document; nothing is asserted of it. */
function tell(what: string, figure: string): void {
  console.log(`behind nginx: ${what}: ${figure}`);
}

describe.skipIf(missing.length > 0)('a browser behind nginx', () => {
  let site: Site;
  let browser: Browser;
  let counter = 0;

  beforeAll(async () => {
    site = await Site.start();
    const home = join(site.folder, 'home');
    browser = await launchChromium(makeHome(home, site.certificates.ca), [HOST, FOREIGN_HOST, APP_HOST]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Appends one entry over REST as a back end does, and waits until it is stored. */
  async function publish(topic: string): Promise<number> {
    const { status, body } = await site.ask('POST', `/v1/topics/${encodeURIComponent(topic)}/entries`, { n: ++counter });
    expect(status).toBe(201);
    return (body as { readonly offset: number }).offset;
  }

  /** How often the server has welcomed a subject, by its own log. */
  function welcomesOf(subject: string): number {
    return site.server.output.split('\n').filter((line) => line.includes('"event":"welcomed"') && line.includes(`"subject":"${subject}"`))
      .length;
  }

  it('trusts the certificate by its authority alone: another browser refuses it', async () => {
    const home = join(site.folder, 'stranger');
    mkdirSync(home);
    const stranger = await launchChromium(makeHome(home, undefined), [HOST]);
    try {
      await expect(Tab.open(stranger, site.url())).rejects.toThrow('ERR_CERT_AUTHORITY_INVALID');
    } finally {
      await stranger.close();
    }
  });

  it('HF-3.8: new tokens in mid-stream; every entry comes once and in order over one connection', async () => {
    const topic = 'chat/stream';
    site.backEnd.lifetimes.set('alice', 5);
    const tab = await Tab.open(browser, site.url());
    await tab.follow('alice', topic);
    await tab.until(`phase === 'open'`);
    const first = counter + 1;
    let isRenewed = false;
    const renewed = tab.until(`sent.filter((type) => type === '1 auth').length >= 2`).finally(() => (isRenewed = true));
    let last = 0;
    while (!isRenewed || last < 500) last = await publish(topic);
    await renewed;
    const seen = await tab.until(`entries.length >= ${last}`);

    expect(seen.entries).toEqual(Array.from({ length: last }, (_, at) => [at + 1, first + at]));
    expect([seen.connections, seen.closes, seen.gaps, seen.pauses]).toEqual([1, [], [], []]);
    expect(seen.received.filter((type) => type === '1 expiring').length).toBeGreaterThanOrEqual(2);
    expect(site.backEnd.asked.filter((subject) => subject === 'alice').length).toBeGreaterThanOrEqual(3);
    expect(welcomesOf('alice')).toBe(1);
    tell('renewals', `${last} entries, ${seen.sent.filter((type) => type === '1 auth').length} renewals, ${seen.connections} connection`);
    await tab.close();
  }, 120_000);

  it('HF-5.10: a right that is taken away pauses the topic, and given back it goes on from there', async () => {
    const topic = 'chat/rights';
    const tab = await Tab.open(browser, site.url());
    await tab.follow('bob', topic);
    await tab.until(`phase === 'open'`);
    const first = counter + 1;
    for (let count = 0; count < 20; count++) await publish(topic);
    await tab.until('entries.length === 20');

    site.backEnd.banned.add('bob');
    const takenAtMs = Date.now();
    expect((await site.ask('POST', '/v1/rechecks', { subject: 'bob' })).status).toBe(204);
    const { pauses } = await tab.until('pauses.length > 0');
    expect(pauses[0]).toMatchObject({ code: 'FORBIDDEN', message: 'the application has taken this right away' });
    tell('a right taken away', `the page was told after ${pauses[0]!.atMs - takenAtMs} ms`);

    for (let count = 0; count < 20; count++) await publish(topic);
    await tab.renew();
    const paused = await tab.seen();
    expect([paused.entries.length, paused.received.filter((type) => type === '1 entry').length]).toEqual([20, 20]);

    site.backEnd.banned.delete('bob');
    expect((await site.ask('POST', '/v1/rechecks', { subject: 'bob' })).status).toBe(204);
    for (let count = 0; count < 20; count++) await publish(topic);
    const seen = await tab.until('entries.length >= 60');
    expect(seen.entries).toEqual(Array.from({ length: 60 }, (_, at) => [at + 1, first + at]));
    expect([seen.connections, seen.closes, seen.gaps]).toEqual([1, [], []]);
    await tab.close();
  }, 60_000);

  it('HF-3.9: credentials that are taken back end the connection, and the next token is refused too', async () => {
    const tab = await Tab.open(browser, site.url());
    await tab.follow('carol', 'chat/42');
    await tab.until(`phase === 'open'`);
    const takenAtMs = Date.now();
    expect(await site.ask('POST', '/v1/revocations', { subject: 'carol' })).toEqual({ status: 200, body: { connections: 1 } });
    const seen = await tab.until(`phase === 'closed'`);
    tell('credentials taken back', `the connection was closed after ${seen.closes[0]!.atMs - takenAtMs} ms`);

    expect(seen.closes).toMatchObject([
      { code: 4300, reason: 'REVOKED' },
      { code: 4300, reason: 'REVOKED' },
    ]);
    expect(seen.lastError).toBe('REVOKED');
    expect(seen.received.filter((type) => type.includes('error'))).toEqual(['1 error REVOKED', '2 error REVOKED']);
    expect(site.backEnd.asked.filter((subject) => subject === 'carol')).toHaveLength(2);
    expect(welcomesOf('carol')).toBe(1);
    await tab.close();
  });

  it('HF-3.3: refuses every token that is not good, with a code that the page can read', async () => {
    const { issuer } = site;
    const ticketFor = async (subject: string): Promise<string> => {
      const { body } = await site.ask('POST', '/v1/tickets', { subject, claims: { holdfast: { 'chat/*': ['subscribe'] } } });
      return issuer.remember((body as { readonly ticket: string }).ticket);
    };
    const tab = await Tab.open(browser, site.url());
    const url = `wss://${HOST}:${site.port}/`;
    const good = await tab.greet(url, issuer.sign('dave'));
    expect(good).toMatchObject({ answer: 'welcome', code: 1000 });
    const [inFrame, inAddress] = [await ticketFor('dave'), await ticketFor('dave')];
    expect(await tab.greet(url, inFrame)).toMatchObject({ answer: 'welcome' });
    expect(await tab.greet(`${url}?ticket=${inAddress}`)).toMatchObject({ answer: 'welcome' });

    const refused: Readonly<Record<string, readonly [code: string, message: RegExp, greeting: Greeting]>> = {
      'a token that has expired': [
        'TOKEN_EXPIRED',
        /expired 60 s ago|expired 61 s ago/,
        await tab.greet(url, issuer.sign('dave', { lifetime: -60 })),
      ],
      'a token for another audience': [
        'UNAUTHENTICATED',
        /audience/,
        await tab.greet(url, issuer.sign('dave', { aud: 'https://other.example.com' })),
      ],
      'the right key with another algorithm (HS512)': [
        'UNAUTHENTICATED',
        /algorithm/,
        await tab.greet(url, issuer.sign('dave', {}, 'HS512')),
      ],
      'an unsigned token (`alg: none`)': ['UNAUTHENTICATED', /unsigned|none/, await tab.greet(url, issuer.sign('dave', {}, 'none'))],
      'a ticket for the second time, in the first frame': ['UNAUTHENTICATED', /ticket/, await tab.greet(url, inFrame)],
      'a ticket for the second time, in the address': ['UNAUTHENTICATED', /ticket/, await tab.greet(`${url}?ticket=${inAddress}`)],
    };
    for (const [what, [code, message, greeting]] of Object.entries(refused)) {
      expect({ what, ...greeting }).toMatchObject({ what, answer: code, code: 4300, reason: code });
      expect(greeting.message).toMatch(message);
      expect(withoutNumbers(operations)).toContain(rowOf(greeting));
      tell(what, `${greeting.answer}, ${greeting.code}: ${greeting.message}`);
    }
    await tab.close();
  });

  it('HF-2.5: refuses the page of a foreign origin, whatever token it has', async () => {
    const url = `wss://${HOST}:${site.port}/`;
    const foreign = await Tab.open(browser, site.url(FOREIGN_HOST));
    const greeting = await foreign.greet(url, site.issuer.sign('dave'));
    expect(greeting).toMatchObject({ answer: 'ORIGIN_REFUSED', code: 4002, reason: 'ORIGIN_REFUSED' });
    expect(withoutNumbers(operations)).toContain(rowOf(greeting));
    tell('a foreign origin', `${greeting.answer}, ${greeting.code}: ${greeting.message}`);
    await foreign.close();

    const known = await Tab.open(browser, site.url(APP_HOST));
    expect(await known.greet(url, site.issuer.sign('dave'))).toMatchObject({ answer: 'welcome' });
    await known.close();
  });

  it('serves curl and ten lines of Python, as the document has them', async () => {
    const token = site.issuer.sign('erin');
    const client = readFileSync(new URL('client.py', import.meta.url), 'utf8')
      .split('"""')
      .at(-1)!
      .trim();
    const lines = commandsOf(operations);
    expect(lines.map((line) => /curl|python3/.exec(line)?.[0])).toEqual(['curl', 'curl', 'python3']);
    expect(operations).toContain(client);
    writeFileSync(join(site.folder, '.curlrc'), `resolve = "${HOST}:${site.port}:127.0.0.1"\nsilent\n`);
    const outputs: string[] = [];
    for (const line of lines) {
      const command = line
        .replaceAll(`https://${HOST}`, site.url())
        // Python has no list of names of its own; the certificate knows this one too.
        .replaceAll(`wss://${HOST}`, `wss://localhost:${site.port}`)
        .replaceAll('python3 client.py', `${PYTHON} ${fileURLToPath(new URL('client.py', import.meta.url))}`);
      const env = { ...process.env, CURL_HOME: site.folder, TOKEN: token };
      outputs.push((await run('sh', ['-c', command], { cwd: site.folder, env })).stdout.trim());
    }
    expect(JSON.parse(outputs[0]!)).toEqual({ offset: 1, epoch: expect.any(String) as unknown });
    expect(JSON.parse(outputs[1]!)).toMatchObject({ last: 1, entries: [{ offset: 1, from: 'erin', data: { text: 'hello' } }] });
    expect(outputs[2]).toBe(`1 erin {'text': 'hello'}`);
    for (const output of outputs) tell('printed', output);
  });

  it('writes no token, ticket or key into any log, nor twelve characters of one', async () => {
    const logs = await site.logs();
    expect(logs.access).toMatch(/"GET \/ HTTP\/1\.1" 101/);
    expect(logs.server).toMatch(/"event":"refused"/);
    const { issued } = site.issuer;
    expect(issued.length).toBeGreaterThan(10);
    const all = Object.values(logs).join('\n');
    const parts = issued.flatMap((one) => Array.from({ length: one.length - 11 }, (_, at) => one.slice(at, at + 12)));
    expect(parts.filter((part) => all.includes(part))).toEqual([]);
    const lines = Object.entries(logs).map(([name, log]) => `${name} ${log.split('\n').length - 1}`);
    tell('lines of logs', `${lines.join(', ')}; ${issued.length} credentials`);
  });
});

/** What is typed in the section on this test. */
function commandsOf(document: string): readonly string[] {
  const section = document.slice(document.indexOf('## Tried: a browser behind nginx'));
  const commands = section.split('\n## ')[0]!.matchAll(/^\$ ((?:.*\\\n)*.*)$/gm);
  return [...commands].map(([, command]) => command!);
}

/** The end of that refusal's row in the document, without what differs from run to run. */
function rowOf({ answer, code, message }: Greeting): string {
  return withoutNumbers(`| \`${answer}\` | ${code} | ${message} |`);
}

function withoutNumbers(text: string): string {
  return text.replace(/\d+/g, '0');
}
