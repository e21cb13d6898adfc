/** Who comes into a server with tokens, who does not, and what of it stands in its log. */

import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createClient } from '@holdfast/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { API_KEY, hello, Peer, post, SECRET, startGuarded, tokenFor } from './admission.testing.ts';
import { freshFolder, holdfast } from './program.testing.ts';

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** As somebody would who knows the secret, in any language. */
function signedByHand(header: object, claims: object): string {
  const head = `${encode(header)}.${encode(claims)}`;
  return `${head}.${createHmac('sha256', SECRET).update(head).digest('base64url')}`;
}

const nowS = (): number => Math.floor(Date.now() / 1_000);

describe('serve with tokens lets in', () => {
  test('the SDK, which publishes and follows as whom the token says', async () => {
    const { url } = await startGuarded();
    const client = createClient({
      url,
      token: () => tokenFor('alice', { capabilities: { 'chat/:room': ['subscribe', 'publish'] } }),
      WebSocket,
    });
    onTestFinished(() => client.close());
    const room = client.topic('chat/1');
    const reader = room.items()[Symbol.asyncIterator]();
    const next = reader.next();
    await room.publish({ text: 'hello' });
    expect(await next).toMatchObject({ value: { from: 'alice', data: { text: 'hello' } } });
    await expect(client.topic('news/1').publish(1)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('a client and a token written by hand', async () => {
    const { url } = await startGuarded();
    const claims = { sub: 'bob', exp: nowS() + 60, holdfast: { 'chat/*': ['publish'] } };
    const peer = await hello(url, signedByHand({ alg: 'HS256' }, claims));
    expect(await peer.frame('welcome')).toMatchObject({ subject: 'bob', expiresAt: expect.any(Number) });
    await peer.send({ type: 'publish', topic: 'chat/1', producer: 'p', seq: 1, data: 1 });
    expect(await peer.frame('ack')).toMatchObject({ offset: 1 });
  });

  test('tail and publish with what "holdfast token" prints', async () => {
    const { url } = await startGuarded();
    const env = { HOLDFAST_AUTH_JWT_SECRET: SECRET };
    const token = await holdfast(['token', '--subject', 'ops', '--capability', '*=*', '--lifetime', '1m'], { env });
    expect(token).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+\n$/) });
    expect(await holdfast(['publish', 'x', '1', '--url', url], { env: { HOLDFAST_TOKEN: token.stdout.trim() } })).toMatchObject({
      code: 0,
      stdout: '1\n',
    });
    expect(await holdfast(['publish', 'x', '1', '--url', url])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no token'),
    });
  });

  test('a back end with an API key, over HTTP', async () => {
    const { port } = await startGuarded();
    expect(await post(port, '/v1/topics/chat%2F1/entries', { a: 1 })).toMatchObject({ status: 201, body: { offset: 1 } });
    expect(await post(port, '/v1/topics/chat%2F1/entries', { a: 1 }, `${API_KEY}x`)).toMatchObject({
      status: 401,
      body: { code: 'UNAUTHENTICATED' },
    });
  });

  test('a ticket, once', async () => {
    const { port, url } = await startGuarded(['--memory'], { env: { HOLDFAST_AUTH_SOURCES: 'frame,query:ticket' } });
    const issue = (): ReturnType<typeof post> => post(port, '/v1/tickets', { subject: 'carol', claims: { holdfast: { '*': ['*'] } } });
    const { ticket } = (await issue()).body as { ticket: string };
    expect(await (await hello(url, ticket)).frame('welcome')).toMatchObject({ subject: 'carol' });
    const again = await hello(url, ticket);
    expect(await again.frame('error')).toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringContaining('used already') });
    expect(await again.closed).toEqual({ code: 4300, reason: 'UNAUTHENTICATED' });
    const inAddress = ((await issue()).body as { ticket: string }).ticket;
    expect(await (await hello(`${url}/?ticket=${inAddress}`, undefined)).frame('welcome')).toMatchObject({ subject: 'carol' });
  });

  test('whom a web hook knows', async () => {
    const asked: string[] = [];
    const backEnd = createServer((request, response) => {
      request.on('data', (body: Buffer) => {
        const { type, data } = JSON.parse(body.toString()) as { type: string; data: { token?: string; topic?: string } };
        asked.push(type);
        const answer = type === 'connect' ? { subject: `user-${data.token}` } : { allow: data.topic !== 'secret' };
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
    });
    await new Promise<void>((resolve) => backEnd.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void backEnd.close());
    const env = {
      HOLDFAST_AUTH_JWT_SECRET: '',
      HOLDFAST_WEBHOOKS_URL: `http://127.0.0.1:${(backEnd.address() as AddressInfo).port}/holdfast`,
      HOLDFAST_WEBHOOKS_EVENTS: 'connect,publish',
      HOLDFAST_WEBHOOKS_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      HOLDFAST_WEBHOOKS_SEND_TOKEN: 'true',
    };
    const { url } = await startGuarded(['--memory'], { env });
    const peer = await hello(url, 'seven');
    expect(await peer.frame('welcome')).toMatchObject({ subject: 'user-seven' });
    await peer.send({ type: 'publish', topic: 'secret', producer: 'p', seq: 1, data: 1 });
    expect(await peer.frame('error')).toMatchObject({ code: 'REFUSED' });
    expect(asked).toEqual(['connect', 'publish']);
    // The key of a back end is nobody's business.
    expect(await (await hello(url, API_KEY)).frame('welcome')).toMatchObject({ subject: 'server:main' });
    expect(asked).toHaveLength(2);
  });
});

describe('serve with tokens refuses', () => {
  test.each<[what: string, token: () => Promise<string> | string | undefined, code: string, message: RegExp]>([
    ['no token', () => undefined, 'UNAUTHENTICATED', /there is no token/],
    ['an expired one', () => signedByHand({ alg: 'HS256' }, { sub: 'x', exp: nowS() - 60 }), 'TOKEN_EXPIRED', /expired 6\d s ago/],
    ['one for somebody else', () => tokenFor('x', { audience: 'elsewhere' }), 'UNAUTHENTICATED', /audience/],
    [
      'one of another secret',
      () => tokenFor('x', { key: { secret: 'another secret of more than 32 bytes' } }),
      'UNAUTHENTICATED',
      /signature/,
    ],
    ['algorithm none', () => `${encode({ alg: 'none' })}.${encode({ sub: 'x', exp: nowS() + 60 })}.`, 'UNAUTHENTICATED', /unsigned/],
    [
      'the name of a back end',
      () => signedByHand({ alg: 'HS256' }, { sub: 'server:main', exp: nowS() + 60 }),
      'UNAUTHENTICATED',
      /API keys/,
    ],
    ['what is none', () => 'alice', 'UNAUTHENTICATED', /not a JWT/],
  ])('%s', async (_what, token, code, message) => {
    const { url } = await startGuarded();
    const peer = await hello(url, await token());
    expect(await peer.frame('error')).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await peer.closed).toEqual({ code: 4300, reason: code });
  });

  test('a page of a foreign origin, and lets in those that are named', async () => {
    const { url } = await startGuarded(['--memory', '--origins', 'https://app.example.com']);
    const token = await tokenFor('alice');
    const foreign = await hello(url, token, {}, { headers: { origin: 'https://evil.example' } });
    expect(await foreign.frame('error')).toMatchObject({ code: 'ORIGIN_REFUSED' });
    expect(await foreign.closed).toEqual({ code: 4002, reason: 'ORIGIN_REFUSED' });
    const named = await hello(url, token, {}, { headers: { origin: 'https://app.example.com' } });
    expect(await named.frame('welcome')).toMatchObject({ subject: 'alice' });
  });

  test('with no token, secret, ticket or key in any line of the log', async () => {
    const sources = 'frame,authorization,subprotocol,cookie:session,query:ticket';
    const env = { HOLDFAST_AUTH_SOURCES: sources, HOLDFAST_LOG_LEVEL: 'debug' };
    const { program, port, url } = await startGuarded(['--memory', '--drain', '0s'], { env });
    const good = await tokenFor('alice');
    const bad = await tokenFor('mallory', { key: { secret: 'another secret of more than 32 bytes' } });
    const { ticket } = (await post(port, '/v1/tickets', { subject: 'carol' })).body as { ticket: string };
    const peers = [
      await hello(url, good),
      await hello(url, bad),
      await hello(`${url}/?ticket=${ticket}&more=${bad}`, undefined),
      await hello(`${url}/?ticket=${ticket}`, undefined),
      await hello(url, undefined, {}, { headers: { authorization: `Bearer ${bad}`, cookie: `session=${good}` } }),
    ];
    const offered = new Peer(url, {}, ['holdfast.v1', `holdfast.token.${bad}`]);
    await offered.send({ type: 'hello', client: 'by-hand' });
    for (const peer of [...peers, offered]) expect((await peer.frame('welcome')) ?? (await peer.frame('error'))).toBeDefined();
    await post(port, `/v1/topics/x/entries?token=${good}`, {}, bad);
    program.kill('SIGTERM');
    const { code, stdout, stderr } = await program.finished;
    const output = stdout + stderr;
    expect(code).toBe(0);
    expect(output.match(/"event":"refused"/g)?.length).toBeGreaterThanOrEqual(4);
    const parts = [good, bad].flatMap((token) => token.split('.').slice(1));
    for (const secret of [SECRET, API_KEY, ticket, ...parts]) expect(output).not.toContain(secret);
    for (const line of stdout.trimEnd().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), time: expect.any(String) });
  });
});

describe('revocation', () => {
  test('over HTTP closes the connections, keeps the token out, and survives a restart', async () => {
    const data = join(await freshFolder(), 'data');
    const first = await startGuarded(['--data', data]);
    const token = await tokenFor('alice', { credentialId: 'phone' });
    const [phone, other] = [
      await hello(first.url, token),
      await hello(first.url, await tokenFor('alice', { credentialId: 'laptop' }), { client: 'b' }),
    ];
    for (const peer of [phone, other]) expect(await peer.frame('welcome')).toBeDefined();
    expect(await post(first.port, '/v1/revocations', { credentialId: 'phone' })).toEqual({ status: 200, body: { connections: 1 } });
    expect(await phone.closed).toEqual({ code: 4300, reason: 'REVOKED' });
    expect(await (await hello(first.url, token)).closed).toEqual({ code: 4300, reason: 'REVOKED' });
    first.program.kill('SIGKILL');
    await first.program.finished;

    const second = await startGuarded(['--data', data]);
    expect(second.program.stdout).toContain('"revocations":1');
    expect(await (await hello(second.url, token)).closed).toEqual({ code: 4300, reason: 'REVOKED' });
    expect(await (await hello(second.url, await tokenFor('alice'))).frame('welcome')).toMatchObject({ subject: 'alice' });
    // Nobody reads who was revoked.
    const reader = await hello(second.url, await tokenFor('eve'), {
      client: 'eve',
      subscribe: [{ id: 1, topic: 'holdfast/revocations', last: 10 }],
    });
    expect(await reader.frame('error')).toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });

  test('by "holdfast revoke": everywhere until now, locked out, released', async () => {
    const { port, url } = await startGuarded();
    const at = ['--url', `http://127.0.0.1:${port}`];
    const env = { HOLDFAST_API_KEY: API_KEY };
    const old = await tokenFor('alice', { clock: { now: () => Date.now() - 10_000 } });
    const peer = await hello(url, old);
    expect(await peer.frame('welcome')).toBeDefined();
    expect(await holdfast(['revoke', 'alice', ...at], { env })).toMatchObject({ code: 0, stdout: 'revoked; 1 connection was closed\n' });
    expect(await peer.closed).toEqual({ code: 4300, reason: 'REVOKED' });
    // As if she had signed in again a little later.
    const fresh = await tokenFor('alice', { clock: { now: () => Date.now() + 2_000 } });
    expect(await (await hello(url, fresh)).frame('welcome')).toMatchObject({ subject: 'alice' });
    await holdfast(['revoke', 'alice', '--lock', ...at], { env });
    expect(await (await hello(url, fresh)).closed).toEqual({ code: 4300, reason: 'REVOKED' });
    expect(await holdfast(['revoke', 'alice', '--lock', '--release', ...at], { env })).toMatchObject({ code: 0, stdout: 'released\n' });
    expect(await (await hello(url, fresh)).frame('welcome')).toMatchObject({ subject: 'alice' });
    expect(
      await holdfast(['revoke', 'alice', ...at], {
        env: { HOLDFAST_API_KEY: await tokenFor('alice', { clock: { now: () => Date.now() + 2_000 } }) },
      }),
    ).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^holdfast revoke: "alice" is no back end\. Use an API key\.\n$/),
    });
  });
});
