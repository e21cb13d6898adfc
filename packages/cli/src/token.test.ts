import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createJwtVerifier, generateKeyPair, type JwtVerifierOptions } from '@holdfast/auth';
import { describe, expect, test } from 'vitest';
import { SECRET } from './admission.testing.ts';
import { freshFolder, holdfast } from './program.testing.ts';

const signed = { HOLDFAST_AUTH_JWT_SECRET: SECRET };

/** The identity of what was printed; nothing else may have been. */
async function identityOf(args: readonly string[], options: JwtVerifierOptions, env: Record<string, string> = signed): Promise<object> {
  const { code, stdout, stderr } = await holdfast(['token', ...args], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return createJwtVerifier(options)(stdout.trimEnd());
}

describe('token', () => {
  test('makes secrets, each another one', async () => {
    const made = await Promise.all([1, 2].map(() => holdfast(['token', '--new-secret'])));
    for (const one of made) expect(one).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^[\w-]{43}\n$/) });
    expect(made[0]!.stdout).not.toBe(made[1]!.stdout);
  });

  test('signs with the secret of the environment: whom, for how long, what for', async () => {
    const args = [
      '--subject',
      'alice',
      '--lifetime',
      '2m',
      '--credential',
      'phone',
      '--capability',
      'a=b/*=subscribe,publish',
      '--capability',
      '*=read',
    ];
    expect(await identityOf(args, { keys: { secret: SECRET }, maxLifetimeMs: 120_000 })).toMatchObject({
      subject: 'alice',
      credentialId: 'phone',
      claims: { holdfast: { 'a=b/*': ['subscribe', 'publish'], '*': ['read'] } },
    });
  });

  test("is as the server's settings want it", async () => {
    const file = join(await freshFolder(), 'holdfast.json');
    const jwt = { secret: SECRET, issuer: ['https://id.example'], audience: ['chat', 'more'], subjectClaim: 'user' };
    await writeFile(file, JSON.stringify({ auth: { jwt, capabilityClaim: 'rights' } }));
    const options = { keys: { secret: SECRET }, issuer: 'https://id.example', audience: 'chat', subjectClaim: 'user' };
    const args = ['--config', file, '--subject', 'alice', '--capability', '*=*'];
    expect(await identityOf(args, options, {})).toMatchObject({ subject: 'alice', claims: { rights: { '*': ['*'] } } });
    expect(await identityOf([...args, '--audience', 'more'], { ...options, audience: 'more' }, {})).toMatchObject({ subject: 'alice' });
  });

  test('signs with a private key', async () => {
    const { publicKey, privateKey } = generateKeyPair();
    const file = join(await freshFolder(), 'key.pem');
    await writeFile(file, privateKey);
    expect(await identityOf(['--subject', 'alice', '--key', file], { keys: { publicKey } }, {})).toMatchObject({ subject: 'alice' });
  });

  test.each<[args: string[], code: number, line: RegExp]>([
    [[], 2, /^holdfast token: --subject is missing: who is it for\? See: holdfast token --help\n$/],
    [['--subject', 'x', '--capability', 'chat'], 2, /--capability wants PATTERN=ACTION,ACTION/],
    [['--subject', 'x', '--capability', 'chat/*=sing'], 1, /has an action "sing" that there is not/],
    [['--subject', 'server:x'], 1, /subjects with "server:" are kept for API keys/],
    [['--subject', 'x', '--secret', 'weak'], 1, /the secret has 4 bytes; at least 32 are needed/],
    [['--subject', 'x', '--key', 'nowhere.pem'], 1, /nowhere\.pem does not exist/],
    [['--subject', 'x', '--secret', 'a', '--key', 'b'], 2, /--secret and --key exclude each other/],
  ])('%j is refused', async (args, code, line) => {
    expect(await holdfast(['token', ...args], { env: signed })).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(line) });
  });

  test('lives no longer than the server accepts', async () => {
    const env = { ...signed, HOLDFAST_AUTH_JWT_MAX_LIFETIME: '10m' };
    expect(await identityOf(['--subject', 'x'], { keys: { secret: SECRET }, maxLifetimeMs: 600_000 }, env)).toMatchObject({ subject: 'x' });
    expect(await holdfast(['token', '--subject', 'x', '--lifetime', '11m'], { env })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^holdfast token: --lifetime is longer than auth\.jwt\.maxLifetime, 600 s/),
    });
  });

  test('says that a file of settings has no secret', async () => {
    const file = join(await freshFolder(), 'holdfast.json');
    await writeFile(file, '{}');
    expect(await holdfast(['token', '--subject', 'x', '--config', file])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/ or give --key; .*holdfast\.json has no auth\.jwt\.secret\.$/m),
    });
  });

  test('says where a secret may come from', async () => {
    expect(await holdfast(['token', '--subject', 'x'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^holdfast token: there is nothing to sign with\. Set HOLDFAST_AUTH_JWT_SECRET_FILE or .* --key or --config\.$/m,
      ),
    });
  });
});
