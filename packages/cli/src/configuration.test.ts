import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configurationReport } from './configuration-report.ts';
import { ConfigurationError, loadConfiguration, originText, type Sources } from './configuration.ts';
import { freshFolder } from './program.testing.ts';
import { environmentName, SETTING_KEYS, SETTINGS, type SettingKey } from './settings.ts';

const load = (sources: Partial<Sources>): ReturnType<typeof loadConfiguration> =>
  loadConfiguration({ flags: {}, environment: {}, file: undefined, ...sources });

function problemsOf(sources: Partial<Sources>): readonly string[] {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

async function fileWith(text: string): Promise<string> {
  const file = join(await freshFolder(), 'holdfast.json');
  await writeFile(file, text);
  return file;
}

describe('settings', () => {
  test('come from the flag before the environment, from that before the file, from that before the default', async () => {
    const file = await fileWith('{\n"port": 1,\n"heartbeat": "1s",\n"drain": "1s", "limits": { "connectionsMax": 1 }\n}');
    const environment = { HOLDFAST_PORT: '2', HOLDFAST_HEARTBEAT: '2s' };
    const { settings, origins } = load({ file, environment, flags: { port: 3 } });
    expect([settings.port, settings.heartbeat, settings.drain, settings.presenceGrace]).toEqual([3, 2_000, 1_000, 10_000]);
    expect(settings['limits.connectionsMax']).toBe(1);
    const from = (key: SettingKey): string => originText(origins.get(key)!);
    expect([from('port'), from('heartbeat'), from('drain'), from('presenceGrace')]).toEqual([
      '--port',
      'HOLDFAST_HEARTBEAT',
      `${file}:4`,
      'default',
    ]);
  });

  test('that are lists and objects are so in a file, and in the environment too', async () => {
    const topics = [{ pattern: 'chat/:room', retain: { count: 10, age: '30d', bytes: '1mb' } }];
    const wanted = [{ pattern: 'chat/:room', retain: { count: 10, age: 2_592_000_000, bytes: 1_048_576 } }];
    const alone = await fileWith('{"origins": "https://a.example"}');
    expect(load({ file: alone }).settings.origins).toEqual(['https://a.example']);
    const file = await fileWith(JSON.stringify({ topics, origins: ['https://a.example', 'https://b.example'] }));
    expect(load({ file }).settings).toMatchObject({ topics: wanted, origins: ['https://a.example', 'https://b.example'] });
    const environment = { HOLDFAST_TOPICS: JSON.stringify(topics), HOLDFAST_ORIGINS: 'https://a.example, https://b.example' };
    expect(load({ environment }).settings).toMatchObject({ topics: wanted, origins: ['https://a.example', 'https://b.example'] });
  });

  test('that are paths are relative to the file, or to the working directory', async () => {
    const file = await fileWith('{"data": "store", "static": "/srv/site", "auth": {"jwt": {"publicKeys": ["keys/one.pem"]}}}');
    const { settings } = load({ file, environment: { HOLDFAST_TLS_KEY: 'key.pem' } });
    expect(settings).toMatchObject({ data: resolve(file, '../store'), static: '/srv/site', 'tls.key': 'key.pem' });
    expect(settings['auth.jwt.publicKeys']).toEqual([resolve(file, '../keys/one.pem')]);
  });

  test('that are secret may stand in files of their own, without the end of the line', async () => {
    const secret = await fileWith('a secret of 32 bytes or even more\n');
    const file = await fileWith(`{"auth": {"jwt": {"secretFile": ${JSON.stringify(secret)}}}}`);
    for (const sources of [{ file }, { environment: { HOLDFAST_AUTH_JWT_SECRET_FILE: secret } }])
      expect(load(sources).settings['auth.jwt.secret']).toBe('a secret of 32 bytes or even more');
  });

  test('of a limit take a number in the unit of the name, the text of a unit, and "none" for the node', async () => {
    const file = await fileWith('{"limits": {"helloTimeoutMs": 500, "memoryBytesMax": "2gb", "membersMax": "none", "burstMs": "2s"}}');
    expect(load({ file }).settings).toMatchObject({
      'limits.helloTimeoutMs': 500,
      'limits.memoryBytesMax': 2_147_483_648,
      'limits.membersMax': Infinity,
      'limits.burstMs': 2_000,
    });
  });

  test('have names of their own in the environment', () => {
    expect(new Set(SETTING_KEYS.map(environmentName)).size).toBe(SETTING_KEYS.length);
    expect([environmentName('auth.jwt.jwksUrl'), environmentName('limits.helloTimeoutMs')]).toEqual([
      'HOLDFAST_AUTH_JWT_JWKS_URL',
      'HOLDFAST_LIMITS_HELLO_TIMEOUT_MS',
    ]);
    const flags = SETTING_KEYS.flatMap((key) => SETTINGS[key].flag?.[0] ?? []);
    expect(new Set(flags).size).toBe(flags.length);
  });
});

describe('what is wrong with settings is told', () => {
  test.each<[environment: Record<string, string>, problem: string]>([
    [{ HOLDFAST_PROT: '1' }, 'HOLDFAST_PROT is no setting; did you mean HOLDFAST_PORT?'],
    [{ HOLDFAST_PORT: '65536' }, 'port (HOLDFAST_PORT) wants a whole number from 0 to 65535'],
    [{ HOLDFAST_PORT: 'tcp://10.0.0.1:80' }, 'port (HOLDFAST_PORT) wants a whole number from 0 to 65535; Kubernetes sets this'],
    [{ HOLDFAST_MEMORY: 'yes' }, 'memory (HOLDFAST_MEMORY) wants true or false'],
    [{ HOLDFAST_DRAIN: '10' }, 'drain (HOLDFAST_DRAIN) wants a duration such as 250ms'],
    [{ HOLDFAST_HEARTBEAT: '1ms' }, 'heartbeat (HOLDFAST_HEARTBEAT) wants at least 100ms'],
    [{ HOLDFAST_SYNC: 'half' }, 'sync (HOLDFAST_SYNC) wants full or normal'],
    [{ HOLDFAST_TOPICS: '[' }, 'topics (HOLDFAST_TOPICS) wants JSON'],
    [{ HOLDFAST_TOPICS: '{}' }, 'topics (HOLDFAST_TOPICS) wants a list: [...]'],
    [{ HOLDFAST_TOPICS: '[{}]' }, 'topics (HOLDFAST_TOPICS), at "[0]" wants a field "pattern"'],
    [{ HOLDFAST_LIMITS_FRAME_BYTES_MAX: 'none' }, 'limits.frameBytesMax (HOLDFAST_LIMITS_FRAME_BYTES_MAX) wants a size'],
    [{ HOLDFAST_AUTH_JWT_SECRET_FILE: '/nowhere/at/all' }, 'auth.jwt.secret (HOLDFAST_AUTH_JWT_SECRET_FILE) cannot be read: ENOENT'],
    [{ HOLDFAST_AUTH_JWT_SECRET_FILE: '/dev/null' }, 'auth.jwt.secret (HOLDFAST_AUTH_JWT_SECRET_FILE): /dev/null is empty'],
    [
      { HOLDFAST_AUTH_JWT_SECRET: 'a', HOLDFAST_AUTH_JWT_SECRET_FILE: '/dev/null' },
      'auth.jwt.secret (HOLDFAST_AUTH_JWT_SECRET_FILE) is given in two ways',
    ],
  ])('%j', (environment, problem) => {
    expect(problemsOf({ environment })).toEqual([expect.stringContaining(problem)]);
  });

  test.each<[text: string, problem: string]>([
    ['{\n "prot": 1}', ':2) is no setting; did you mean port?'],
    ['{"auth": {"jwt": {"secrte": "very secret"}}}', 'auth.jwt.secrte ('],
    ['{"auth": {"secret": "very secret"}}', ':1) is no setting; did you mean auth.jwt.secret?'],
    ['{"auth": "very secret"}', ':1) wants an object: {...}'],
    ['{"port": "very secret"}', ':1) wants a whole number from 0 to 65535'],
    ['{"heartbeat": 25000}', ':1) wants a duration such as 250ms'],
    ['{"topics": [{"pattern": "*", "retian": {}}]}', ':1), at "[0].retian" is not a field that there is; did you mean retain?'],
    ['{"topics": [{"pattern": "*", "retain": {"age": 1}}]}', ':1), at "[0].retain.age" wants a duration'],
    ['{"auth": {"apiKeys": [{"name": "a", "sha256": "very secret"}]}}', ':1), at "[0].sha256" wants 64 hexadecimal digits'],
    ['{"auth": {"jwt": {"secret": "a",\n"secretFile": "/dev/null"}}}', ':2) is given in two ways'],
    ['{"port": 1,\n\n"port": 2}', ':3 is not JSON: the key "port" stands here twice'],
    ['{"port": very secret}', ':1 is not JSON: want a value'],
    ['[]', ' wants an object: {...}'],
  ])('in a file: %j', async (text, problem) => {
    const problems = problemsOf({ file: await fileWith(text) });
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(problems.join()).not.toContain('very secret');
  });

  test('all of it at once, and of a file that is not there', () => {
    expect(problemsOf({ environment: { HOLDFAST_PORT: 'x', HOLDFAST_MEMORY: 'x' }, file: '/nowhere/at/all' })).toEqual([
      expect.stringMatching(/^the file of settings cannot be read: ENOENT.*\/nowhere\/at\/all/),
      expect.stringMatching(/^port /),
      expect.stringMatching(/^memory /),
    ]);
  });

  test('but not what Kubernetes sets beside a service, other commands need, or is empty', () => {
    const links = { HOLDFAST_SERVICE_HOST: '10.0.0.1', HOLDFAST_SERVICE_PORT_HTTP: '80', HOLDFAST_PORT_80_TCP: 'tcp://10.0.0.1:80' };
    const others = { HOLDFAST_TOKEN: 'alice', HOLDFAST_CONFIG: 'x', HOLDFAST_API_KEY: 'x', HOLDFAST_PORT: '' };
    expect(load({ environment: { ...links, ...others } }).settings.port).toBe(8_080);
  });
});

describe('the report', () => {
  test('shows every value as a file would have it and where it came from, and no secret', async () => {
    const file = await fileWith(
      JSON.stringify({
        heartbeat: '1m',
        limits: { membersMax: 'none' },
        auth: { jwt: { secret: 'very secret' }, apiKeys: [{ name: 'shop', key: 'very secret' }] },
        webhooks: { secret: 'very secret' },
      }),
    );
    const environment = { HOLDFAST_OPERATIONS_TOKEN: 'very secret', HOLDFAST_TLS_PASSPHRASE: 'very secret' };
    const report = configurationReport(load({ file, environment }));
    expect(report).not.toContain('very secret');
    expect(report).toMatch(/^heartbeat +"1m" +\/.*holdfast\.json:1$/m);
    expect(report).toMatch(/^limits\.membersMax +"none" +\/.*:1$/m);
    expect(report).toMatch(/^auth\.mode +"jwt" +default$/m);
    expect(report).toMatch(/^auth\.apiKeys +\[\{"name":"shop","key":"\*\*\*"\}\] +\/.*:1$/m);
    expect(report).toMatch(/^operations\.token +"\*\*\*" +HOLDFAST_OPERATIONS_TOKEN$/m);
    for (const key of SETTING_KEYS) expect(report).toMatch(new RegExp(`^${key.replaceAll('.', '\\.')} `, 'm'));
    expect(
      SETTING_KEYS.filter((key) => /[sS]ecret$|passphrase$|\.token$|apiKey$/.test(key)).every((key) => SETTINGS[key].type.isSecret),
    ).toBe(true);
  });
});
