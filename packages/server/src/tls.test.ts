/** A pair of files that is renewed while it is in use. Time is virtual, the files are real. */

import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Authority, LACK_OF_OPENSSL } from './certificates.testing.ts';
import { TlsFiles, type TlsOptions, type TlsStatus } from './tls.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

const INTERVAL_MS = 10_000;
const DAY_MS = 86_400_000;

// Not to be overlooked: without it nothing below is tested.
if (LACK_OF_OPENSSL !== undefined) process.stderr.write(`SKIPPED, all of TLS: ${LACK_OF_OPENSSL}\n`);

describe.skipIf(LACK_OF_OPENSSL)('TlsFiles', () => {
  let authority: Authority;
  let clock: VirtualClock;
  let opened: TlsFiles[];

  beforeAll(() => {
    authority = new Authority();
    authority.issue('first', { days: 1 });
    authority.issue('second', { days: 5 });
    authority.issue('locked', { passphrase: 'open sesame' });
  });

  afterAll(() => authority.remove());

  beforeEach(() => {
    clock = new VirtualClock();
    opened = [];
    put('first', 'first');
  });

  afterEach(() => {
    for (const files of opened) files.close();
  });

  /** Writes one pair's key and another's certificate to where the server looks. */
  function put(key: string, cert: string): void {
    copyFileSync(authority.path(`${key}.key`), authority.path('live.key'));
    copyFileSync(authority.path(`${cert}.pem`), authority.path('live.pem'));
  }

  interface Watched {
    readonly files: TlsFiles;
    /** The certificates that took effect, by name. */
    readonly applied: string[];
    readonly reloads: TlsStatus[];
    readonly errors: unknown[];
  }

  async function watched(options: Partial<TlsOptions> = {}): Promise<Watched> {
    const [applied, reloads, errors]: [string[], TlsStatus[], unknown[]] = [[], [], []];
    const callbacks = { onReload: (status: TlsStatus) => reloads.push(status), onError: (error: unknown) => errors.push(error) };
    const files = await TlsFiles.open(
      { key: authority.path('live.key'), cert: authority.path('live.pem'), ...callbacks, ...options },
      clock,
    );
    opened.push(files);
    files.watch((context) => applied.push(nameOf(context)));
    return { files, applied, reloads, errors };
  }

  function nameOf({ cert }: SecureContextOptions): string {
    return ['first', 'second'].find((name) => authority.read(`${name}.pem`) === cert) ?? '?';
  }

  /** One look at the files, to its end: the next one is scheduled then. */
  async function look(): Promise<void> {
    await vi.waitFor(() => expect(clock.alarmCount).toBe(1));
    await clock.advance(INTERVAL_MS);
    await vi.waitFor(() => expect(clock.alarmCount).toBe(1));
  }

  test('tells when the certificate ends, and takes TLS 1.2 or newer', async () => {
    const { files } = await watched();
    expect(Math.abs(files.expiresAtMs - Date.now() - DAY_MS)).toBeLessThan(600_000);
    expect(files.context.minVersion).toBe('TLSv1.2');
  });

  test('takes PEM texts as well, and has nothing to watch then', async () => {
    const { files, applied } = await watched({ key: authority.read('first.key'), cert: authority.read('first.pem'), ca: authority.ca });
    await look();
    await look();
    expect([nameOf(files.context), applied]).toEqual(['first', []]);
  });

  test('a key with a passphrase', async () => {
    const { key, cert } = { key: authority.path('locked.key'), cert: authority.path('locked.pem') };
    await expect(watched({ key, cert })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('cannot be used together'),
    });
    await expect(watched({ key, cert, passphrase: 'wrong' })).rejects.toMatchObject({ code: 'USAGE' });
    const { files } = await watched({ key, cert, passphrase: 'open sesame' });
    expect(files.expiresAtMs).toBeGreaterThan(0);
  });

  test('refuses what is missing, what is nonsense, and what does not belong together, by name', async () => {
    await expect(watched({ key: '/nowhere/key.pem' })).rejects.toMatchObject({
      code: 'USAGE',
      message: /tls\.key cannot be read: .*nowhere/,
    });
    writeFileSync(authority.path('nonsense.pem'), 'nonsense');
    await expect(watched({ cert: authority.path('nonsense.pem') })).rejects.toMatchObject({ code: 'USAGE', message: /nonsense\.pem/ });
    await expect(watched({ cert: authority.path('second.pem') })).rejects.toMatchObject({
      code: 'USAGE',
      message: /live\.key.*second\.pem.*cannot be used together.*mismatch/,
    });
  });

  test('refuses a key that is too weak to be used', async () => {
    const weak = authority.issue('weak', { newKey: ['-newkey', 'rsa:512', '-nodes'] });
    await expect(watched(weak)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('too small') });
  });

  test('an error never shows a key that was given as text', async () => {
    const key = authority.read('first.key');
    const error = await watched({ key, cert: authority.path('second.pem') }).then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    expect(error).toBeInstanceOf(Error);
    expect(JSON.stringify([error!.message, error!.stack, Object.entries(error!)])).not.toContain(key.split('\n')[1]);
  });

  test('a changed pair takes effect once it has stood still for one interval', async () => {
    const { files, applied, reloads, errors } = await watched();
    put('second', 'second');
    await look();
    expect(applied).toEqual([]);
    await look();
    expect([applied, errors]).toEqual([['second'], []]);
    expect(reloads).toEqual([{ expiresAtMs: files.expiresAtMs }]);
    expect(files.expiresAtMs).toBeGreaterThan(Date.now() + 4 * DAY_MS);
    await look();
    expect(applied).toEqual(['second']);
  });

  test('a pair of which only one half is there yet is not looked at too early', async () => {
    const { applied, errors } = await watched();
    put('second', 'first');
    await look();
    put('second', 'second');
    await look();
    await look();
    expect([applied, errors]).toEqual([['second'], []]);
  });

  test('a bad pair keeps the old one, is told once, and the good one after it counts', async () => {
    const { files, applied, errors } = await watched();
    put('second', 'first');
    for (let count = 0; count < 4; count++) await look();
    expect([nameOf(files.context), applied]).toEqual(['first', []]);
    expect(errors).toEqual([expect.objectContaining({ code: 'USAGE' })]);
    put('second', 'second');
    await look();
    await look();
    expect([nameOf(files.context), applied, errors.length]).toEqual(['second', ['second'], 1]);
  });

  test('files that are gone keep the old pair, and are told', async () => {
    const { files, errors } = await watched();
    rmSync(authority.path('live.pem'));
    await look();
    await look();
    expect([nameOf(files.context), errors]).toEqual(['first', [expect.objectContaining({ message: expect.stringContaining('ENOENT') })]]);
  });

  test('a failure that has nothing to do with the files is overcome without a further change', async () => {
    const [applied, errors]: [string[], unknown[]] = [[], []];
    const options = { key: authority.path('live.key'), cert: authority.path('live.pem'), onError: (error: unknown) => errors.push(error) };
    const files = await TlsFiles.open(options, clock);
    opened.push(files);
    let failures = 2;
    files.watch((context) => {
      if (failures-- > 0) throw new Error('not now');
      applied.push(nameOf(context));
    });
    put('second', 'second');
    for (let count = 0; count < 5; count++) await look();
    expect([applied, errors]).toEqual([['second'], [new Error('not now')]]);
  });

  test('a symbolic link that is put elsewhere, as Kubernetes does', async () => {
    for (const name of ['first', 'second']) {
      mkdirSync(authority.path(`..${name}`), { recursive: true });
      copyFileSync(authority.path(`${name}.key`), authority.path(`..${name}/tls.key`));
      copyFileSync(authority.path(`${name}.pem`), authority.path(`..${name}/tls.crt`));
    }
    const link = (to: string): void => {
      symlinkSync(`..${to}`, authority.path('..data_tmp'));
      renameSync(authority.path('..data_tmp'), authority.path('..data'));
    };
    link('first');
    const { applied } = await watched({ key: authority.path('..data/tls.key'), cert: authority.path('..data/tls.crt') });
    link('second');
    await look();
    await look();
    expect(applied).toEqual(['second']);
  });

  test('reload does not wait for anything, and rejects what cannot be used', async () => {
    const { files, applied, errors } = await watched({ checkIntervalMs: 0 });
    expect(clock.alarmCount).toBe(0);
    put('second', 'second');
    await Promise.all([files.reload(), files.reload()]);
    expect(applied).toEqual(['second', 'second']);
    put('first', 'second');
    await expect(files.reload()).rejects.toMatchObject({ code: 'USAGE' });
    expect([nameOf(files.context), errors]).toEqual(['second', []]);
    put('first', 'first');
    await files.reload();
    expect(nameOf(files.context)).toBe('first');
  });

  test('close stops looking', async () => {
    const { files, applied } = await watched();
    await look();
    files.close();
    expect(clock.alarmCount).toBe(0);
    put('second', 'second');
    await files.reload();
    expect(applied).toEqual([]);
  });
});
