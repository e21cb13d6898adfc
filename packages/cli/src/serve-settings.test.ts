/** What a server says of its settings before it begins, as a process of its own. */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { API_KEY, GUARDED, SECRET } from './admission.testing.ts';
import { issueCertificate } from './certificate.testing.ts';
import { freshFolder, holdfast } from './program.testing.ts';

const deploy = (name: string): string => fileURLToPath(new URL(`../../../deploy/${name}`, import.meta.url));

const wrong = (stderr: RegExp): object => ({ code: 2, stdout: '', stderr: expect.stringMatching(stderr) });

describe('--check-config', () => {
  test('prints what would be in force and where it came from, and no secret', async () => {
    const result = await holdfast(['serve', '--check-config', '--behind-proxy', '--drain', '5s'], { env: GUARDED });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/^drain +"5s" +--drain$/m);
    expect(result.stdout).toMatch(/^auth\.jwt\.secret +"\*\*\*" +HOLDFAST_AUTH_JWT_SECRET$/m);
    expect(result.stdout).toMatch(/^auth\.mode +"jwt" +default$/m);
    for (const secret of [SECRET, API_KEY]) expect(result.stdout).not.toContain(secret);
  });

  test('is content with the file of deploy/, under the environment that its unit sets', async () => {
    const unit = await readFile(deploy('holdfast.service'), 'utf8');
    const names = [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!] as const);
    const folder = await freshFolder();
    await writeFile(join(folder, 'jwt-secret'), `${SECRET}\n`);
    await writeFile(join(folder, 'api-key'), `${API_KEY}\n`);
    const env = Object.fromEntries(names.map(([name, value]) => [name, value.replace('%d', folder)]));
    expect(Object.keys(env)).toContain('HOLDFAST_AUTH_API_KEY_FILE');
    expect(await holdfast(['serve', '--config', deploy('holdfast.json'), '--check-config'], { env })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^drain +"15s" +.*holdfast\.json:\d+$/m),
    });
  });

  test('is content with the files of the documents', async () => {
    const text = await readFile(fileURLToPath(new URL('../../../docs/operations.md', import.meta.url)), 'utf8');
    const examples = [...text.matchAll(/```jsonc\n([^]*?)```/g)].map(([, example]) => example!);
    expect(examples.length).toBeGreaterThan(0);
    const folder = await freshFolder();
    const { cert, key } = issueCertificate(folder, 'one');
    for (const example of examples) {
      const file = join(folder, 'holdfast.json');
      await writeFile(file, example.replaceAll('/etc/ssl/holdfast/fullchain.pem', cert).replaceAll('/etc/ssl/holdfast/privkey.pem', key));
      expect(await holdfast(['serve', '--config', file, '--check-config'], { env: GUARDED })).toMatchObject({ code: 0, stderr: '' });
    }
  });
});

describe('serve does not begin', () => {
  test.each<[what: string, args: string[], env: Record<string, string>, line: RegExp]>([
    [
      'in production with identities of development',
      [],
      { NODE_ENV: 'production' },
      /NODE_ENV is "production".* set auth\.jwt\.secret \(HOLDFAST_AUTH_JWT_SECRET_FILE\)/,
    ],
    ['in production even if told to', ['--auth', 'development'], { NODE_ENV: 'production' }, /NODE_ENV is "production"/],
    [
      'behind a proxy with them, unless told to',
      ['--behind-proxy'],
      {},
      /behindProxy \(--behind-proxy\) lets others reach .* --auth development\.$/m,
    ],
    [
      'on another address without TLS',
      ['--host', '0.0.0.0'],
      GUARDED,
      /host \(--host\): plain ws:.* --tls-cert and --tls-key, or --behind-proxy .* or --insecure/,
    ],
    ['with a setting that there is not', [], { HOLDFAST_PROT: '1' }, /HOLDFAST_PROT is no setting; did you mean HOLDFAST_PORT\?/],
    [
      'with a weak secret',
      [],
      { HOLDFAST_AUTH_JWT_SECRET: 'weak' },
      /auth\.jwt\.secret \(HOLDFAST_AUTH_JWT_SECRET\): the secret has 4 bytes; at least 32 .*holdfast token --new-secret/,
    ],
    [
      'with a weak API key',
      [],
      { ...GUARDED, HOLDFAST_AUTH_API_KEY: 'weak' },
      /auth\.apiKey \(HOLDFAST_AUTH_API_KEY\): .* 4 characters; at least 32/,
    ],
    [
      'with an algorithm that no key fits',
      [],
      { ...GUARDED, HOLDFAST_AUTH_JWT_ALGORITHMS: 'RS256' },
      /auth\.jwt\.algorithms .*no key fits the algorithm RS256/,
    ],
    [
      'with keys from an address that is not encrypted',
      [],
      { HOLDFAST_AUTH_JWT_JWKS_URL: 'http://id.example/keys' },
      /auth\.jwt\.jwksUrl .* must come over https/,
    ],
    [
      'with a source that is none',
      [],
      { ...GUARDED, HOLDFAST_AUTH_SOURCES: 'header' },
      /auth\.sources .*"header" is not a source of tokens/,
    ],
    [
      'with an origin that is none',
      ['--origins', 'app.example.com'],
      GUARDED,
      /origins \(--origins\): "app\.example\.com" in origins is no origin/,
    ],
    ['with a proxy by name', ['--trusted-proxies', 'proxy.internal'], GUARDED, /trustedProxies \(--trusted-proxies\): "proxy\.internal"/],
    [
      'with a pattern that no topic fits',
      [],
      { HOLDFAST_TOPICS: '[{"pattern":"a b"}]' },
      /topics \(HOLDFAST_TOPICS\): the topic pattern "a b"/,
    ],
    [
      'with a limit that clients do not know',
      [],
      { HOLDFAST_LIMITS_FRAME_BYTES_MAX: '1kb' },
      /limits\.frameBytesMax \(HOLDFAST_LIMITS_FRAME_BYTES_MAX\) wants at least 4kb/,
    ],
    ['with a certificate and no key', ['--tls-cert', 'x.pem'], GUARDED, /tls\.cert \(--tls-cert\) needs tls\.key too/],
    [
      'with files that cannot be read',
      ['--tls-cert', 'x.pem', '--tls-key', 'y.pem'],
      GUARDED,
      /tls\.cert \(--tls-cert\) cannot be read: ENOENT[^]*tls\.key \(--tls-key\) cannot be read/,
    ],
    ['with a folder that has no page', ['--static', 'nowhere'], {}, /static \(--static\): there is no index\.html in nowhere/],
    [
      'with a chat that nobody could use',
      [],
      { ...GUARDED, HOLDFAST_PATHS: '{"/plain":{"plainChat":true}}' },
      /paths .*nobody could use the chat on "\/plain"/,
    ],
    [
      'with metrics for everybody',
      ['--operations-port', '0'],
      { HOLDFAST_OPERATIONS_HOST: '0.0.0.0' },
      /operations\.host .* set operations\.token/,
    ],
    [
      'with a web hook that is asked nothing',
      ['--auth', 'webhook'],
      {},
      /auth\.mode \(--auth\) is webhook, and webhooks\.events lacks "connect"/,
    ],
    [
      'with a web hook that nothing signs',
      [],
      { ...GUARDED, HOLDFAST_WEBHOOKS_URL: 'https://a.example', HOLDFAST_WEBHOOKS_EVENTS: 'publish' },
      /webhooks\.url \(HOLDFAST_WEBHOOKS_URL\) needs webhooks\.secret too/,
    ],
    [
      'with a web hook whose secret is none',
      [],
      { ...GUARDED, HOLDFAST_WEBHOOKS_URL: 'https://a.example', HOLDFAST_WEBHOOKS_EVENTS: 'publish', HOLDFAST_WEBHOOKS_SECRET: SECRET },
      /webhooks\.url .*the secret of a webhook is "whsec_"/,
    ],
    [
      'with a web hook that is not encrypted',
      [],
      {
        ...GUARDED,
        HOLDFAST_WEBHOOKS_URL: 'http://a.example',
        HOLDFAST_WEBHOOKS_EVENTS: 'publish',
        HOLDFAST_WEBHOOKS_SECRET: 'whsec_aG9sZGZhc3QgaG9sZGZhc3QgaG9sZGZhc3Q=',
      },
      /webhooks\.url .*is not encrypted/,
    ],
    ['with a file that is not there', ['--config', 'nowhere.json'], {}, /the file of settings cannot be read: ENOENT/],
  ])('%s', async (_what, args, env, line) => {
    const result = await holdfast(['serve', '--memory', '--port', '0', ...args], { env });
    expect(result).toMatchObject(wrong(line));
    expect(result.stderr).toMatch(/^holdfast serve: /);
    expect(result.stderr).not.toMatch(/\n {4}at /);
    for (const secret of [SECRET, API_KEY]) expect(result.stderr).not.toContain(secret);
  });

  test('with a key that is of another certificate', async () => {
    const folder = await freshFolder();
    const [one, other] = [issueCertificate(folder, 'one'), issueCertificate(folder, 'other')];
    expect(
      await holdfast(['serve', '--memory', '--check-config', '--tls-cert', one.cert, '--tls-key', other.key], { env: GUARDED }),
    ).toMatchObject(wrong(/tls\.cert \(--tls-cert\) and tls\.key \(--tls-key\) cannot be used together: /));
  });

  test('and says everything at once', async () => {
    const env = { HOLDFAST_AUTH_JWT_SECRET: 'weak', HOLDFAST_AUTH_SOURCES: 'header' };
    const { code, stderr } = await holdfast(['serve', '--memory', '--sync', 'full', '--host', '0.0.0.0'], { env });
    expect(code).toBe(2);
    expect(stderr.split('\n').map((line) => line.slice(0, 12))).toEqual([
      'holdfast ser',
      '  memory (--',
      '  host (--ho',
      '  auth.sourc',
      '  auth.jwt.s',
      '',
    ]);
  });
});
