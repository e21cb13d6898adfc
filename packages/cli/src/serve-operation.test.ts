/** How a server is watched, told of new certificates, and ended. */

import { copyFile, readFile } from 'node:fs/promises';
import { get } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { GUARDED, hello, startGuarded, tokenFor, type Frame } from './admission.testing.ts';
import { issueCertificate } from './certificate.testing.ts';
import { freshFolder, holdfast, Program } from './program.testing.ts';

const TOKEN = 'an-operator-who-may-read-the-figures';

async function ask(port: number, path: string, token?: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(
    `http://127.0.0.1:${port}${path}`,
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  );
  return { status: response.status, text: await response.text() };
}

describe('operations', () => {
  test('have a port of their own, which is announced', async () => {
    const { program, port } = await startGuarded(['--memory', '--operations-port', '0']);
    const [, own] = await program.prints(/"operations":"http:\/\/localhost:(\d+)"/);
    expect(JSON.parse((await ask(Number(own), '/health')).text)).toMatchObject({ status: 'ok', uptimeMs: expect.any(Number) });
    expect(await ask(Number(own), '/ready')).toEqual({ status: 200, text: '{"status":"ready","reasons":[]}\n' });
    const { status, text } = await ask(Number(own), '/metrics');
    expect(status).toBe(200);
    expect(text).toMatch(/^holdfast_connections\{state="welcomed"\} 0$/m);
    expect(text).toMatch(/^holdfast_store_commit_duration_seconds_count [1-9]/m);
    // Clients may ask how it is, and no more.
    expect((await ask(port, '/ready')).status).toBe(200);
    expect((await ask(port, '/metrics')).status).toBe(404);
  });

  test('or are on the main port, with the metrics behind a token', async () => {
    const { port, program } = await startGuarded(['--memory'], { env: { HOLDFAST_OPERATIONS_TOKEN: TOKEN } });
    expect((await ask(port, '/health')).status).toBe(200);
    expect((await ask(port, '/metrics')).status).toBe(401);
    expect((await ask(port, '/metrics', `${TOKEN}x`)).status).toBe(401);
    expect(await ask(port, '/metrics', TOKEN)).toMatchObject({ status: 200, text: expect.stringContaining('holdfast_build_info') });
    expect(program.stdout).not.toContain(TOKEN);
  });
});

describe('TLS', () => {
  test('is served from files, and read again at SIGHUP', async () => {
    const folder = await freshFolder();
    const [one, other] = [issueCertificate(folder, 'one'), issueCertificate(folder, 'other')];
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    await copyFile(one.cert, cert);
    await copyFile(one.key, key);
    const { program, url, port } = await startGuarded(['--memory', '--tls-cert', cert, '--tls-key', key]);
    expect(url).toMatch(/^wss:/);
    const nameNow = (ca: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const request = get({ host: 'localhost', port, path: '/health', ca, agent: false }, (response) => {
          resolve((response.socket as TLSSocket).getPeerCertificate().subject.CN as string);
          response.resume();
        });
        request.on('error', reject);
      });
    expect(await nameNow(await readFile(one.cert, 'utf8'))).toBe('one');
    const peer = await hello(url, await tokenFor('alice'), {}, { ca: await readFile(one.cert) });
    expect(await peer.frame('welcome')).toMatchObject({ subject: 'alice' });
    await copyFile(other.cert, cert);
    program.kill('SIGHUP');
    await program.prints(/"event":"tls-failed".*cannot be used together/);
    expect(await nameNow(await readFile(one.cert, 'utf8'))).toBe('one');
    await copyFile(other.key, key);
    program.kill('SIGHUP');
    await program.prints(/"event":"tls-reloaded","until":"\d{4}-/);
    expect(await nameNow(await readFile(other.cert, 'utf8'))).toBe('other');
    // Who was there stays.
    await peer.send({ type: 'ping', id: 1 });
    expect(await peer.frame('pong')).toMatchObject({ id: 1 });
  });
});

describe('the end', () => {
  test('at SIGTERM finishes what is under way, tells clients where to go, and is clean', async () => {
    const data = join(await freshFolder(), 'data');
    const { program, url } = await startGuarded(['--data', data, '--drain', '1h', '--alternate', 'wss://other.example.com/']);
    const peer = await hello(url, await tokenFor('alice'), { subscribe: [{ id: 1, topic: 'busy' }] });
    await peer.frame('subscribed');
    const publish = (seq: number): Promise<void> => peer.send({ type: 'publish', topic: 'busy', producer: 'p', seq, data: seq });
    for (let seq = 1; seq <= 30; seq++) await publish(seq);
    program.kill('SIGTERM');
    expect(await peer.frame('goaway')).toMatchObject({ alternate: 'wss://other.example.com/' });
    // What comes after it is carried out too (HF-8.3).
    for (let seq = 31; seq <= 60; seq++) await publish(seq);
    const acks = (): Frame[] => peer.frames.filter(({ type }) => type === 'ack');
    await peer.send({ type: 'ping', id: 'last' });
    await peer.frame('pong');
    while (acks().length < 60) await new Promise((resolve) => peer.socket.once('message', resolve));
    expect(acks().map(({ seq, offset }) => [seq, offset])).toEqual(Array.from({ length: 60 }, (_, index) => [index + 1, index + 1]));
    // The last one to leave ends the drain.
    peer.socket.close();
    const { code, signal, stdout } = await program.finished;
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as Frame)['event']);
    expect(lines).toEqual(['listening', 'stopping', 'draining', 'stopped']);
  });

  test('closes with 4200 whoever stays', async () => {
    const { program, url } = await startGuarded(['--memory', '--drain', '50ms']);
    const peer = await hello(url, await tokenFor('alice'));
    await peer.frame('welcome');
    program.kill('SIGTERM');
    expect(await peer.closed).toEqual({ code: 4200, reason: 'GOING_AWAY' });
    expect(await program.finished).toMatchObject({ code: 0 });
  });

  test('is not at SIGHUP, off a terminal', async () => {
    const { program, port } = await startGuarded();
    program.kill('SIGHUP');
    await program.prints(/"event":"reload"/);
    expect((await ask(port, '/health')).status).toBe(200);
  });
});

describe('the log', () => {
  test('is text for people if asked for, and has the address at the end of its first line', async () => {
    const { program, port } = await startGuarded(['--memory', '--log', 'text']);
    await program.prints(/stop {8}/);
    expect(program.stdout.split('\n')[0]).toMatch(new RegExp(`^Holdfast .* is listening on http://localhost:${port}$`));
    expect(program.stdout).toContain('identities  signed tokens (JWT), from frame\n');
    expect(program.stdout).not.toContain('/plain');
  });

  test('tells what a server cannot do in the same words', async () => {
    const { port } = await startGuarded();
    const { code, stderr } = await new Program(['serve', '--memory', '--port', String(port)], { env: GUARDED }).finished;
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^holdfast serve: port \d+ on 127\.0\.0\.1 is taken by another program\. .+\n$/),
    });
  });

  test('has a line for each request, without its query', async () => {
    const { program, port } = await startGuarded();
    await ask(port, '/v1/topics/x/entries?after=0');
    await ask(port, '/nothing?token=hidden');
    await program.prints(/"route":"\/v1\/topics\/\{topic\}\/entries","status":401/);
    await program.prints(/"path":"\/nothing","status":404/);
    expect(program.stdout).not.toContain('hidden');
  });

  test('is of as much as was asked for', async () => {
    const { program, url } = await startGuarded(['--memory', '--log-level', 'debug']);
    await (await hello(url, await tokenFor('alice'))).frame('welcome');
    await program.prints(/"level":"debug".*"event":"welcomed".*"subject":"alice"/);
    expect(program.stdout).toContain('"event":"listening"');
    expect(await holdfast(['serve', '--log-level', 'loud'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--log-level wants debug or info or warn or error'),
    });
  });
});
