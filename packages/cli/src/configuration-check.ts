/**
 * What no setting can be seen to lack by itself: settings that contradict each other, files that cannot be read, keys that do
 * not fit, a server that others could reach and that lets everybody be anybody. Nothing is listened on and nothing stored.
 */

import { X509Certificate, createPrivateKey } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { createApiKeys, createJwtVerifier, createTokenFinder } from '@holdfast/auth';
import { attach, createHub, createMemoryStore, parseTrustedProxies } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { ConfigurationError, originText, type Configuration } from './configuration.ts';
import { commandLineHint } from './failure.ts';
import { apiKeysOf, authModeOf, hasJwtKey, jwtOptionsOf, sourcesOf, webhooksOf } from './gate.ts';
import { hubOptionsOf, pathsOf } from './hub-settings.ts';
import { environmentName, SETTINGS, type SettingKey } from './settings.ts';

/** Throws a `ConfigurationError` with everything that is wrong. */
export async function checkConfiguration(
  configuration: Configuration,
  environment: { readonly NODE_ENV?: string | undefined },
): Promise<void> {
  const check = new Check(configuration);
  check.store();
  check.tls();
  await check.reach();
  check.identities(environment.NODE_ENV === 'production');
  check.keys();
  check.webhooks();
  check.operations();
  await check.whole();
  if (check.problems.length > 0) throw new ConfigurationError(check.problems);
}

/** Whether an address, or a name, is of this machine alone. */
export async function isLoopbackHost(host: string): Promise<boolean> {
  const address = await lookup(host).then(
    (found) => found.address,
    () => host,
  );
  return parseTrustedProxies(['loopback']).has(address);
}

class Check {
  readonly problems: string[] = [];
  readonly #configuration: Configuration;

  constructor(configuration: Configuration) {
    this.#configuration = configuration;
  }

  store(): void {
    const { settings } = this.#configuration;
    for (const key of ['data', 'sync'] as const)
      if (settings.memory && this.#isGiven(key)) this.#problem(`${this.#at('memory')} and ${this.#at(key)} exclude each other`);
    const { static: folder } = settings;
    if (folder !== undefined && !existsSync(join(folder, 'index.html')))
      this.#problem(`${this.#at('static')}: there is no index.html in ${folder}; name the folder of a built site`);
  }

  tls(): void {
    const { 'tls.cert': cert, 'tls.key': key, 'tls.passphrase': passphrase } = this.#configuration.settings;
    if ((cert === undefined) !== (key === undefined)) {
      const [given, missing] = cert === undefined ? (['tls.key', 'tls.cert'] as const) : (['tls.cert', 'tls.key'] as const);
      return this.#problem(`${this.#at(given)} needs ${missing} too: --${SETTINGS[missing].flag![0]} or ${environmentName(missing)}`);
    }
    if (cert === undefined || key === undefined) return;
    const texts = [this.#readable('tls.cert', cert), this.#readable('tls.key', key)] as const;
    const [certText, keyText] = texts;
    if (certText === undefined || keyText === undefined) return;
    try {
      const options = { key: keyText, ...(passphrase === undefined ? {} : { passphrase }) };
      createSecureContext({ ...options, cert: certText });
      if (!new X509Certificate(certText).checkPrivateKey(createPrivateKey(options))) throw new Error('the key is of another certificate');
    } catch (error) {
      this.#problem(`${this.#at('tls.cert')} and ${this.#at('tls.key')} cannot be used together: ${(error as Error).message}`);
    }
  }

  /** Whoever can reach it must either be on this machine or come encrypted. */
  async reach(): Promise<void> {
    const { host, behindProxy, insecure, 'tls.cert': cert } = this.#configuration.settings;
    if (cert !== undefined || behindProxy || insecure || (await isLoopbackHost(host))) return;
    this.#problem(
      `${this.#at('host')}: plain ws:// on ${host} could be read and changed by anybody on the way; give --tls-cert and --tls-key, or ` +
        '--behind-proxy where a proxy in front speaks TLS, or --insecure on a network that you trust',
    );
  }

  identities(isProduction: boolean): void {
    const { settings } = this.#configuration;
    const mode = authModeOf(settings);
    const how =
      'set auth.jwt.secret (HOLDFAST_AUTH_JWT_SECRET_FILE), auth.jwt.publicKeys, auth.jwt.jwksUrl or webhooks.url with webhooks.events=connect';
    if (mode === 'development') {
      if (hasJwtKey(settings)) this.#problem(`${this.#at('auth.mode')} is development, where keys of auth.jwt count for nothing`);
      if (isProduction)
        this.#problem(`NODE_ENV is "production", and identities are those of development: everybody is who they claim to be; ${how}`);
      const reach = (['tls.cert', 'behindProxy', 'insecure'] as const).find((key) => this.#isGiven(key) && settings[key] !== false);
      if (!isProduction && reach !== undefined && settings['auth.mode'] === undefined)
        this.#problem(
          `${this.#at(reach)} lets others reach this server, where everybody is who they claim to be; ${how}, or say --auth development`,
        );
    }
    if (mode === 'jwt' && !hasJwtKey(settings)) this.#problem(`${this.#at('auth.mode')} is jwt, and there is no key; ${how}`);
    if (mode === 'webhook' && !settings['webhooks.events'].includes('connect'))
      this.#problem(`${this.#at('auth.mode')} is webhook, and webhooks.events lacks "connect"`);
    if (mode !== 'webhook' && settings['webhooks.events'].includes('connect'))
      this.#problem(`${this.#at('webhooks.events')} has "connect", and auth.mode is ${mode}: nobody would ask it`);
    const chat = Object.entries(settings.paths ?? {}).find(([, { plainChat }]) => plainChat === true)?.[0];
    if (mode === 'jwt' && chat !== undefined && settings['auth.sources'].every((source) => source === 'frame'))
      this.#problem(
        `${this.#at('paths')}: nobody could use the chat on "${chat}", since plain clients have no frame for a token; name another of auth.sources`,
      );
  }

  keys(): void {
    const { settings } = this.#configuration;
    this.#try('auth.sources', () => createTokenFinder(sourcesOf(settings)));
    const keyFiles = settings['auth.jwt.publicKeys'].map((file) => this.#readable('auth.jwt.publicKeys', file));
    if (authModeOf(settings) === 'jwt' && hasJwtKey(settings) && keyFiles.every((text) => text !== undefined)) {
      const options = jwtOptionsOf(settings);
      const before = this.problems.length;
      for (const key of ['auth.jwt.secret', 'auth.jwt.previousSecret', 'auth.jwt.jwksUrl', 'auth.jwt.publicKeys'] as const)
        this.#oneKey(key);
      // With the keys at fault the whole would say the same once more.
      if (this.problems.length === before) this.#try('auth.jwt.algorithms', () => createJwtVerifier(options));
    }
    for (const { keyFile } of settings['auth.apiKeys'])
      if (keyFile !== undefined && this.#readable('auth.apiKeys', keyFile) === undefined) return;
    this.#try(settings['auth.apiKeys'].length === 0 ? 'auth.apiKey' : 'auth.apiKeys', () => createApiKeys(apiKeysOf(settings)));
  }

  webhooks(): void {
    const { settings } = this.#configuration;
    const { 'webhooks.url': url, 'webhooks.events': events, 'webhooks.secret': secret } = settings;
    if (url === undefined && events.length > 0) return this.#problem(`${this.#at('webhooks.events')} needs webhooks.url too`);
    if (url === undefined) return;
    if (events.length === 0) return this.#problem(`${this.#at('webhooks.url')} needs webhooks.events too: what it is asked about`);
    if (secret === undefined)
      return this.#problem(`${this.#at('webhooks.url')} needs webhooks.secret too; "echo whsec_$(openssl rand -base64 32)" makes one`);
    this.#try('webhooks.url', () => webhooksOf(settings));
  }

  operations(): void {
    const { settings } = this.#configuration;
    const { 'operations.port': port, 'operations.host': host, 'operations.token': token } = settings;
    if (port !== undefined && port !== 0 && port === settings.port && host === settings.host)
      this.#problem(`${this.#at('operations.port')} is the port of the clients; leave it out and set operations.token, or choose another`);
    if (port !== undefined && token === undefined && !parseTrustedProxies(['loopback']).has(host))
      this.#problem(`${this.#at('operations.host')}: others than this machine could read the metrics; set operations.token`);
    if (token !== undefined && (token.length < TOKEN_LENGTH_MIN || /\s/.test(token)))
      this.#problem(
        `${this.#at('operations.token')} wants ${TOKEN_LENGTH_MIN} characters at least and no spaces; "holdfast token --new-secret" makes one`,
      );
  }

  /** What the hub and its sockets say themselves: topics, paths, limits, origins, proxies. */
  async whole(): Promise<void> {
    const { settings } = this.#configuration;
    const store = createMemoryStore();
    const hub = this.#try(undefined, () => createHub({ store, ...hubOptionsOf(settings), maintainIntervalMs: 0 }));
    if (hub !== undefined) {
      this.#try('trustedProxies', () => parseTrustedProxies(settings.trustedProxies ?? []));
      this.#try('paths', () => attach(createServer(), { hub, paths: pathsOf(settings, authModeOf(settings)) }));
      const origins = settings.origins.includes('any') ? 'any' : settings.origins;
      this.#try('origins', () => attach(createServer(), { hub, paths: {}, origins }));
      await hub.close();
    }
    await store.close();
  }

  #oneKey(key: 'auth.jwt.secret' | 'auth.jwt.previousSecret' | 'auth.jwt.jwksUrl' | 'auth.jwt.publicKeys'): void {
    const { settings } = this.#configuration;
    const nothing = { 'auth.jwt.secret': undefined, 'auth.jwt.previousSecret': undefined, 'auth.jwt.jwksUrl': undefined };
    const values = key === 'auth.jwt.publicKeys' ? settings[key] : [settings[key]];
    for (const value of values) {
      if (value === undefined) continue;
      const alone = { ...settings, ...nothing, 'auth.jwt.publicKeys': [], [key]: key === 'auth.jwt.publicKeys' ? [value] : value };
      this.#try(key, () => createJwtVerifier({ keys: jwtOptionsOf(alone).keys }), key === 'auth.jwt.publicKeys' ? `${value}: ` : '');
    }
  }

  /** What a `HoldfastError` says, with the setting that it is about. */
  #try<Value>(key: SettingKey | undefined, build: () => Value, place = ''): Value | undefined {
    try {
      return build();
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const mend = commandLineHint(error);
      const hint = mend === '' ? '' : ` (${hintFor(mend)})`;
      const at = key ?? settingIn(error.message);
      this.#problem(`${at === undefined ? '' : `${this.#at(at)}: `}${place}${error.message}${hint}`);
      return undefined;
    }
  }

  #readable(key: SettingKey, file: string): string | undefined {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      this.#problem(`${this.#at(key)} cannot be read: ${(error as Error).message}`);
      return undefined;
    }
  }

  #isGiven(key: SettingKey): boolean {
    return this.#configuration.origins.get(key) !== 'default';
  }

  #at(key: SettingKey): string {
    return `${key} (${originText(this.#configuration.origins.get(key) ?? 'default')})`;
  }

  #problem(text: string): void {
    this.problems.push(text);
  }
}

/** Which setting the hub means, as far as its message says. */
function settingIn(message: string): SettingKey | undefined {
  if (message.startsWith('the topic pattern ')) return 'topics';
  const [, limit] = /^limit "(\w+)"/.exec(message) ?? [];
  return limit !== undefined && Object.hasOwn(SETTINGS, `limits.${limit}`) ? (`limits.${limit}` as SettingKey) : undefined;
}

/** The hint for who sits at a command line, not in a program. */
function hintFor(hint: string): string {
  return hint.replaceAll('`generateSecret()`', '"holdfast token --new-secret"').replace(/\.$/, '');
}

/** As long as 192 bits of base64url. */
const TOKEN_LENGTH_MIN = 32;
