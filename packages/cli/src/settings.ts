/**
 * All settings of `holdfast serve`, in one table: how each is read, its default, its bounds, what it means. The flags and
 * the help, the names in the environment, the JSON Schema of the file and docs/configuration.md are made from it.
 */

import type { ApiKey, Capabilities } from '@holdfast/auth';
import { ACTIONS, NODE_LIMITS, type Action, type LimitName, type NodeLimits } from '@holdfast/server';
import { DEFAULT_LIMITS, LIMIT_MEANINGS, limitMinimum, type Limits } from '@holdfast/wire';
import {
  boolean,
  choice,
  count,
  duration,
  json,
  list,
  listOfRecords,
  mapOf,
  path,
  record,
  secret,
  size,
  text,
  type ValueType,
} from './value-type.ts';

/** What history topics keep. */
export interface RetainSetting {
  readonly count?: number;
  readonly age?: number;
  readonly bytes?: number;
}

/** One rule for topics. */
export interface TopicSetting {
  readonly pattern: string;
  readonly retain?: RetainSetting;
}

/** What one path of the server is. */
export interface PathSetting {
  readonly topics?: readonly string[];
  readonly plainChat?: boolean;
}

/** An API key of a back end; `keyFile` names a file that has it. */
export interface ApiKeySetting extends ApiKey {
  readonly keyFile?: string;
}

/** The values by their keys; `undefined` where nothing is given and there is no default. */
export interface Settings extends LimitSettings {
  readonly host: string;
  readonly port: number;
  readonly 'tls.cert': string | undefined;
  readonly 'tls.key': string | undefined;
  readonly 'tls.passphrase': string | undefined;
  readonly behindProxy: boolean;
  readonly trustedProxies: readonly string[] | undefined;
  readonly insecure: boolean;
  readonly origins: readonly string[];
  readonly data: string;
  readonly memory: boolean;
  readonly sync: 'full' | 'normal';
  readonly 'retain.count': number | undefined;
  readonly 'retain.age': number | undefined;
  readonly 'retain.bytes': number | undefined;
  readonly topics: readonly TopicSetting[];
  readonly paths: Readonly<Record<string, PathSetting>> | undefined;
  readonly static: string | undefined;
  readonly 'auth.mode': 'development' | 'jwt' | 'webhook' | undefined;
  readonly 'auth.jwt.secret': string | undefined;
  readonly 'auth.jwt.previousSecret': string | undefined;
  readonly 'auth.jwt.publicKeys': readonly string[];
  readonly 'auth.jwt.jwksUrl': string | undefined;
  readonly 'auth.jwt.algorithms': readonly string[];
  readonly 'auth.jwt.issuer': readonly string[];
  readonly 'auth.jwt.audience': readonly string[];
  readonly 'auth.jwt.type': string | undefined;
  readonly 'auth.jwt.subjectClaim': string;
  readonly 'auth.jwt.clockTolerance': number;
  readonly 'auth.jwt.maxLifetime': number | undefined;
  readonly 'auth.jwt.requireExpiry': boolean;
  readonly 'auth.sources': readonly string[];
  readonly 'auth.rights': 'capabilities' | 'everything' | undefined;
  readonly 'auth.capabilityClaim': string;
  readonly 'auth.ticketLifetime': number;
  readonly 'auth.apiKey': string | undefined;
  readonly 'auth.apiKeys': readonly ApiKeySetting[];
  readonly 'webhooks.url': string | undefined;
  readonly 'webhooks.events': readonly ('connect' | Action)[];
  readonly 'webhooks.secret': string | undefined;
  readonly 'webhooks.previousSecret': string | undefined;
  readonly 'webhooks.timeout': number;
  readonly 'webhooks.onFailure': 'closed' | 'open';
  readonly 'webhooks.sendToken': boolean;
  readonly 'webhooks.headers': readonly string[];
  readonly 'webhooks.keepGrants': number;
  readonly 'webhooks.concurrencyMax': number;
  readonly 'webhooks.insecure': boolean;
  readonly heartbeat: number;
  readonly presenceGrace: number;
  readonly drain: number;
  readonly alternate: string | undefined;
  readonly 'operations.port': number | undefined;
  readonly 'operations.host': string;
  readonly 'operations.token': string | undefined;
  readonly 'log.level': 'debug' | 'info' | 'warn' | 'error';
  readonly 'log.format': 'auto' | 'text' | 'json';
}

/** A bound of the node may be `Infinity`. */
export type LimitSettings = { readonly [Name in LimitName as `limits.${Name}`]: number | undefined };

export type SettingKey = keyof Settings & string;

export interface Setting<Value> {
  readonly type: ValueType<Exclude<Value, undefined>>;
  readonly default: Value;
  /** What stands for the default in documents, where it depends on others or on the machine. */
  readonly defaultText?: string;
  /** The flag without its dashes, and what stands for its value in the help. */
  readonly flag?: readonly [name: string, placeholder?: string];
  readonly meaning: string;
}

export type SettingTable = { readonly [Key in SettingKey]: Setting<Settings[Key]> };

const RETAIN = {
  count: { type: count(1), meaning: 'Keep so many of the newest entries.' },
  age: { type: duration({ min: 1 }), meaning: 'Keep entries so long.' },
  bytes: { type: size(), meaning: 'Keep so much payload.' },
} as const;

const topic = record<TopicSetting>({
  pattern: { type: text(), isRequired: true, meaning: 'Such as `chat/:room`, `market/*` or `*`.' },
  retain: { type: record<RetainSetting>(RETAIN), meaning: 'What history they keep. Default: `retain`.' },
});

const pathType = record<PathSetting>({
  topics: { type: list(text()), meaning: 'Patterns of the topics that exist there. Default: all.' },
  plainChat: { type: boolean(), meaning: 'Any WebSocket client has a chat there (PROTOCOL.md HF-13.4).' },
});

/** Examined by `createApiKeys`. */
const capabilities = json<Capabilities>({ type: 'object' });

const apiKey = record<ApiKeySetting>({
  name: { type: text(), isRequired: true, meaning: 'Its subject is `server:NAME`.' },
  key: { type: secret(), meaning: 'The key, 32 characters at least. This, `keyFile` or `sha256`.' },
  keyFile: { type: path(), meaning: 'A file that has the key.' },
  sha256: { type: text(/^[0-9a-f]{64}$/i, '64 hexadecimal digits'), meaning: "The key's SHA-256 in hexadecimal." },
  capabilities: { type: capabilities, meaning: 'What it may do. Default: everything.' },
});

const claim = text(/^[^\s]{1,64}$/, 'the name of a claim');
const address = text(/^https?:\/\/\S+$/, 'an address such as https://example.com/keys.json');

// oxfmt-ignore
const OWN: { readonly [Key in Exclude<SettingKey, keyof LimitSettings>]: Setting<Settings[Key]> } = {
  host: { type: text(), default: '127.0.0.1', flag: ['host', 'HOST'], meaning: 'the address to listen on; any but this machine\'s own needs tls, behindProxy or insecure' },
  port: { type: count(0, 65_535), default: 8_080, flag: ['port', 'PORT'], meaning: 'the port to listen on; 0 takes any free one and says which' },
  'tls.cert': { type: path(), default: undefined, flag: ['tls-cert', 'FILE'], meaning: 'certificate and those between it and its authority (PEM); read again when it changes' },
  'tls.key': { type: path(), default: undefined, flag: ['tls-key', 'FILE'], meaning: 'private key of the certificate (PEM)' },
  'tls.passphrase': { type: secret(), default: undefined, meaning: 'of the private key, where it has one' },
  behindProxy: { type: boolean(), default: false, flag: ['behind-proxy'], meaning: 'a reverse proxy in front speaks TLS to the clients' },
  trustedProxies: { type: list(text()), default: undefined, defaultText: 'loopback with behindProxy, otherwise none', flag: ['trusted-proxies', 'LIST'], meaning: 'addresses and networks whose X-Forwarded-For, -Host and -Proto count' },
  insecure: { type: boolean(), default: false, flag: ['insecure'], meaning: 'serve unencrypted on any address: on a network that is trusted' },
  origins: { type: list(text()), default: [], flag: ['origins', 'LIST'], meaning: 'foreign pages that may connect, such as https://app.example.com or https://*.example.com; "any" for all' },

  data: { type: path(), default: './data', flag: ['data', 'DIR'], meaning: 'the folder of the store, made if missing' },
  memory: { type: boolean(), default: false, flag: ['memory'], meaning: 'keep everything in memory: gone when the server ends' },
  sync: { type: choice('full', 'normal'), default: 'full', flag: ['sync', 'full|normal'], meaning: 'full: acknowledged means it survives power loss; normal: the death of the process only, with far fewer syncs' },
  'retain.count': { type: RETAIN.count.type, default: undefined, defaultText: 'all', flag: ['retain-count', 'N'], meaning: 'keep the newest N entries of each topic' },
  'retain.age': { type: RETAIN.age.type, default: undefined, defaultText: 'for ever', flag: ['retain-age', 'TIME'], meaning: 'keep entries this long, such as 30d' },
  'retain.bytes': { type: RETAIN.bytes.type, default: undefined, defaultText: 'all', flag: ['retain-bytes', 'SIZE'], meaning: 'keep so much payload per topic, such as 10mb' },
  topics: { type: listOfRecords(topic), default: [{ pattern: '*' }], meaning: 'which topics exist, by pattern; the first that fits counts' },
  paths: { type: mapOf(pathType), default: undefined, defaultText: '"/" and "/realtime"; with development identities also "/plain" for a chat', meaning: 'where clients connect' },
  static: { type: path(), default: undefined, flag: ['static', 'DIR'], meaning: 'serve this folder over HTTP too; its index.html answers for a single page' },

  'auth.mode': { type: choice('development', 'jwt', 'webhook'), default: undefined, flag: ['auth', 'development|jwt|webhook'], defaultText: 'jwt where a key of auth.jwt is given, webhook where webhooks.events has connect; otherwise development', meaning: 'how clients say who they are; development: everybody is who they claim to be' },
  'auth.jwt.secret': { type: secret(), default: undefined, meaning: 'shared with whoever issues tokens (HS256: 32 bytes at least)' },
  'auth.jwt.previousSecret': { type: secret(), default: undefined, meaning: 'accepted as well, while the secret is being changed' },
  'auth.jwt.publicKeys': { type: list(path()), default: [], meaning: 'PEM files: RSA of 2,048 bits or more, P-256, P-384, Ed25519' },
  'auth.jwt.jwksUrl': { type: address, default: undefined, meaning: 'where the issuer lists its public keys; https, or http on this machine' },
  'auth.jwt.algorithms': { type: list(text()), default: [], defaultText: 'those that the keys fit', meaning: 'which algorithms tokens may have' },
  'auth.jwt.issuer': { type: list(text()), default: [], defaultText: 'anybody who has the key', meaning: 'who may have issued a token (iss)' },
  'auth.jwt.audience': { type: list(text()), default: [], defaultText: 'tokens that name nobody', meaning: 'for whom a token must be (aud)' },
  'auth.jwt.type': { type: text(), default: undefined, defaultText: 'any', meaning: 'what its header must name as typ, such as at+jwt' },
  'auth.jwt.subjectClaim': { type: claim, default: 'sub', meaning: 'the claim that says who it is' },
  'auth.jwt.clockTolerance': { type: duration({ max: 600_000 }), default: 5_000, meaning: 'how far the clocks of issuer and server may differ' },
  'auth.jwt.maxLifetime': { type: duration({ min: 1_000 }), default: undefined, defaultText: 'any', meaning: 'the longest time from issue to end of a token' },
  'auth.jwt.requireExpiry': { type: boolean(), default: true, meaning: 'whether a token must have an end (exp)' },
  'auth.sources': { type: list(text()), default: ['frame'], meaning: 'where tokens are looked for, in order: frame, authorization, subprotocol, cookie:NAME, query:NAME' },
  'auth.rights': { type: choice('capabilities', 'everything'), default: undefined, defaultText: 'capabilities with jwt, otherwise everything', meaning: 'capabilities: what the token allows; everything: whoever is let in may do all that no webhook refuses' },
  'auth.capabilityClaim': { type: claim, default: 'holdfast', meaning: 'the claim that has the capabilities' },
  'auth.ticketLifetime': { type: duration({ min: 1_000, max: 3_600_000 }), default: 30_000, meaning: 'how long a one-time ticket is good' },
  'auth.apiKey': { type: secret(), default: undefined, meaning: 'the API key of one back end, which may do everything; its subject is server:main' },
  'auth.apiKeys': { type: listOfRecords(apiKey), default: [], meaning: 'API keys of back ends, for REST and sockets' },

  'webhooks.url': { type: address, default: undefined, meaning: 'the back end that is asked; https, or http on this machine' },
  'webhooks.events': { type: list(choice('connect', ...ACTIONS)), default: [], meaning: 'what it is asked about: connect (who a client is), and actions' },
  'webhooks.secret': { type: secret(), default: undefined, meaning: 'signs what is sent there: whsec_ and base64, as Standard Webhooks has it' },
  'webhooks.previousSecret': { type: secret(), default: undefined, meaning: 'signs as well, while the secret is being changed' },
  'webhooks.timeout': { type: duration({ min: 100, max: 60_000 }), default: 3_000, meaning: 'how long an answer may take' },
  'webhooks.onFailure': { type: choice('closed', 'open'), default: 'closed', meaning: 'without an answer; closed: refused as retryable; open: let pass, except connect' },
  'webhooks.sendToken': { type: boolean(), default: false, meaning: 'tell connect the token of the first frame, too' },
  'webhooks.headers': { type: list(text()), default: [], meaning: 'headers of the upgrade that connect is told, such as cookie' },
  'webhooks.keepGrants': { type: duration({ max: 3_600_000 }), default: 10_000, meaning: 'for how long a right is not asked for again; 0s: each time' },
  'webhooks.concurrencyMax': { type: count(1, 10_000), default: 64, meaning: 'questions at a time' },
  'webhooks.insecure': { type: boolean(), default: false, meaning: 'ask over http on other machines, too: on a network that is trusted' },

  heartbeat: { type: duration({ min: 100, max: 3_600_000 }), default: 25_000, flag: ['heartbeat', 'TIME'], meaning: 'beat when nothing else was sent for so long' },
  presenceGrace: { type: duration({ max: 3_600_000 }), default: 10_000, flag: ['presence-grace', 'TIME'], meaning: 'a member stays so long after its connection dropped' },
  drain: { type: duration({ max: 86_400_000 }), default: 3_000, flag: ['drain', 'TIME'], meaning: 'when stopping, give clients so long to leave' },
  alternate: { type: text(/^wss?:\/\/\S+$/, 'an address such as wss://other.example.com/'), default: undefined, flag: ['alternate', 'URL'], meaning: 'where clients are told to go when stopping' },

  'operations.port': { type: count(0, 65_535), default: undefined, flag: ['operations-port', 'PORT'], meaning: 'a port of its own for /metrics, /health and /ready, unencrypted' },
  'operations.host': { type: text(), default: '127.0.0.1', meaning: 'the address of that port; any but this machine\'s own needs operations.token' },
  'operations.token': { type: secret(), default: undefined, meaning: 'who asks for /metrics must show it as a bearer token; with it, the main port answers too' },
  'log.level': { type: choice('debug', 'info', 'warn', 'error'), default: 'info', flag: ['log-level', 'LEVEL'], meaning: 'the least that is logged' },
  'log.format': { type: choice('auto', 'text', 'json'), default: 'auto', flag: ['log', 'auto|text|json'], meaning: 'auto: text on a terminal and with development identities, JSON lines otherwise' },
};

/** Limits whose names have their unit, so that a bare number will do. */
function limitType(name: LimitName, min: number, none: boolean): ValueType<number> {
  if (name.endsWith('Ms')) return duration({ min, none, bare: true });
  return /Bytes(?:Max|PerSecond)$/.test(name) ? size({ min, none }) : count(min, undefined, { none });
}

function announcedRow(name: keyof Limits): Setting<number | undefined> {
  const meaning = LIMIT_MEANINGS[name];
  const type = limitType(name, limitMinimum(name), false);
  const flag = name === 'frameBytesMax' ? { flag: ['frame-max', 'SIZE'] as const } : {};
  return { type, default: undefined, defaultText: shown(type, DEFAULT_LIMITS[name]), meaning, ...flag };
}

function nodeRow(name: keyof NodeLimits): Setting<number | undefined> {
  const { min, meaning, reached, scope, default: byDefault, defaultText } = NODE_LIMITS[name];
  const type = limitType(name, min, true);
  return { type, default: undefined, defaultText: defaultText ?? shown(type, byDefault), meaning: `Per ${scope}: ${meaning} ${reached}` };
}

function shown(type: ValueType<number>, value: number): string {
  const text = type.show(value);
  return typeof text === 'string' ? text : JSON.stringify(text);
}

const keysOf = <Row extends object>(rows: Row): (keyof Row)[] => Object.keys(rows) as (keyof Row)[];

const LIMITS = Object.fromEntries([
  ...keysOf(DEFAULT_LIMITS).map((name) => [`limits.${name}`, announcedRow(name)] as const),
  ...keysOf(NODE_LIMITS).map((name) => [`limits.${name}`, nodeRow(name)] as const),
]) as { readonly [Key in keyof LimitSettings]: Setting<number | undefined> };

/** The table, in the order in which the documents have it. */
export const SETTINGS: SettingTable = { ...OWN, ...LIMITS };

/** Every key of the table. */
export const SETTING_KEYS: readonly SettingKey[] = keysOf(SETTINGS);

/** The name of a setting in the environment: `auth.jwt.secret` is `HOLDFAST_AUTH_JWT_SECRET`. */
export function environmentName(key: string): string {
  return `HOLDFAST_${key.replaceAll('.', '_').replaceAll(/([a-z])([A-Z])/g, '$1_$2')}`.toUpperCase();
}
