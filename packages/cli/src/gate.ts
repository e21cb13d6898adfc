/**
 * Who may come in and what they may do, as the settings have it: the hooks of the server's paths and of its REST API. Made
 * of `@holdfast/auth` and the webhooks of `@holdfast/http`; knows neither sockets nor requests.
 */

import { readFileSync } from 'node:fs';
import {
  combineAuthorize,
  createApiKeys,
  createAuthenticate,
  createCapabilities,
  createJwtVerifier,
  createRevocations,
  createTickets,
  createTokenFinder,
  TICKET_PREFIX,
  type Algorithm,
  type ApiKey,
  type ApiKeys,
  type AuthenticateOptions,
  type JwtVerifierOptions,
  type Revocations,
  type Tickets,
  type TokenSource,
  type VerificationKey,
} from '@holdfast/auth';
import { createWebhooks, type WebhookFaultFacts, type Webhooks } from '@holdfast/http';
import { anonymous, type Authenticate, type Authorize, type BeforePublish, type Credentials, type Identity } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import type { Settings } from './settings.ts';

/** How clients say who they are. */
export type AuthMode = 'development' | 'jwt' | 'webhook';

export interface Gate {
  readonly mode: AuthMode;
  /** For sockets. */
  readonly authenticate: Authenticate;
  /** For the REST API, which has the token of the header in the place of a frame's. */
  readonly authenticateRequest: Authenticate;
  readonly authorize: Authorize;
  /** For every rule of topics; `undefined` where nobody is asked. */
  readonly beforePublish: BeforePublish | undefined;
  /** Whether an identity is one of the API keys. */
  readonly isBackEnd: (identity: Identity) => boolean;
  /** Before rights are asked again. */
  readonly forgetGrants: (subject: string | undefined) => void;
  readonly tickets: Tickets;
  readonly revocations: Revocations;
}

/** No token of a user can have such a subject: the verifier refuses it, and so does the gate where a web hook says it. */
const BACK_END_PREFIX = 'server:';

/** The mode that is given, or the one that the rest of the settings means. */
export function authModeOf(settings: Settings): AuthMode {
  const { 'auth.mode': mode, 'webhooks.events': events } = settings;
  if (mode !== undefined) return mode;
  if (hasJwtKey(settings)) return 'jwt';
  return events.includes('connect') ? 'webhook' : 'development';
}

/** Whether there is a key with which tokens could be verified. */
export function hasJwtKey(settings: Settings): boolean {
  const single = [settings['auth.jwt.secret'], settings['auth.jwt.previousSecret'], settings['auth.jwt.jwksUrl']];
  return single.some((key) => key !== undefined) || settings['auth.jwt.publicKeys'].length > 0;
}

/** Throws `USAGE` for settings that let nobody in or that no key fits. */
export function createGate(settings: Settings, onFault?: (facts: WebhookFaultFacts) => void): Gate {
  const mode = authModeOf(settings);
  const webhooks = webhooksOf(settings, onFault);
  const claim = settings['auth.capabilityClaim'];
  const tickets = createTickets({ lifetimeMs: settings['auth.ticketLifetime'] });
  const revocations = createRevocations();
  const apiKeys = createApiKeys(apiKeysOf(settings), { claim });
  const shared = { tickets, revocations, apiKeys };
  const hookOf = (sources: readonly TokenSource[]): Authenticate => {
    switch (mode) {
      case 'jwt':
        return createAuthenticate({ ...shared, verifier: createJwtVerifier(jwtOptionsOf(settings)), sources });
      case 'development':
        return developmentHook(shared);
      case 'webhook':
        return webhookHook(shared, webhooks!.authenticate, sources);
    }
  };
  return {
    mode,
    authenticate: hookOf(sourcesOf(settings)),
    authenticateRequest: hookOf(['frame']),
    authorize: authorizeOf(settings, mode, webhooks),
    beforePublish: webhooks === undefined ? undefined : exceptBackEnds(webhooks.beforePublish),
    isBackEnd,
    forgetGrants: (subject) => webhooks?.forget(subject),
    tickets,
    revocations,
  };
}

/** Where tokens are looked for. */
export function sourcesOf(settings: Settings): readonly TokenSource[] {
  return settings['auth.sources'] as readonly TokenSource[];
}

function isBackEnd({ subject }: Identity): boolean {
  return subject.startsWith(BACK_END_PREFIX);
}

type Shared = Required<Pick<AuthenticateOptions, 'tickets' | 'revocations' | 'apiKeys'>>;

/** Everybody is who they claim to be, also a back end; nobody needs a token. */
function developmentHook({ tickets, revocations, apiKeys }: Shared): Authenticate {
  return (credentials) => {
    const { token = '' } = credentials;
    const identity = token.startsWith(TICKET_PREFIX) ? tickets.redeem(token) : (apiKeys(token) ?? anonymous(credentials));
    if (revocations.isRevoked(identity)) throw new HoldfastError('REVOKED');
    return identity;
  };
}

/** Tickets and API keys are examined here; about everybody else the web hook is asked, with all that they showed. */
function webhookHook(shared: Shared, ask: Authenticate, sources: readonly TokenSource[]): Authenticate {
  const own = createAuthenticate({ ...shared, sources });
  const find = createTokenFinder(sources);
  return async (credentials) => {
    if (isOwn(tokenIn(find, credentials), shared.apiKeys)) return own(credentials);
    const identity = await ask(credentials);
    if (isBackEnd(identity)) throw new HoldfastError('UNAUTHENTICATED', `subjects with "${BACK_END_PREFIX}" are kept for API keys`);
    if (shared.revocations.isRevoked(identity)) throw new HoldfastError('REVOKED');
    return identity;
  };
}

function isOwn(token: string | undefined, apiKeys: ApiKeys): boolean {
  return token !== undefined && (token.startsWith(TICKET_PREFIX) || apiKeys(token) !== undefined);
}

/** Without a token that can be found, the web hook may still know them: by a cookie, by their address. */
function tokenIn(find: (credentials: Credentials) => string, credentials: Credentials): string | undefined {
  try {
    return find(credentials);
  } catch {
    return undefined;
  }
}

function authorizeOf(settings: Settings, mode: AuthMode, webhooks: Webhooks | undefined): Authorize {
  const { 'auth.rights': rights = mode === 'jwt' ? 'capabilities' : 'everything', 'auth.capabilityClaim': claim } = settings;
  const capabilities = createCapabilities({ claim });
  const hooks = [...(rights === 'capabilities' ? [capabilities] : []), ...(webhooks === undefined ? [] : [webhooks.authorize])];
  const forUsers = hooks.length === 0 ? (): true => true : combineAuthorize(...hooks);
  // A key has rights of its own, whatever the application says of its users. In development a mere name is no key.
  return (question) => (mode !== 'development' && isBackEnd(question.identity) ? capabilities(question) : forUsers(question));
}

function exceptBackEnds(beforePublish: BeforePublish): BeforePublish {
  return (publish) => (isBackEnd(publish.identity) ? undefined : beforePublish(publish));
}

/** Webhooks as the settings have them; `undefined` where there are none. Throws `USAGE`. */
export function webhooksOf(settings: Settings, onFault?: (facts: WebhookFaultFacts) => void): Webhooks | undefined {
  const { 'webhooks.url': url, 'webhooks.events': events, 'webhooks.onFailure': failure } = settings;
  if (url === undefined) return undefined;
  const secrets = [settings['webhooks.secret'], settings['webhooks.previousSecret']].filter((one) => one !== undefined);
  const others = events.filter((event) => event !== 'connect');
  return createWebhooks({
    url,
    events,
    secret: secrets,
    timeoutMs: settings['webhooks.timeout'],
    onFailure: failure === 'closed' ? 'closed' : Object.fromEntries(others.map((event) => [event, 'open'] as const)),
    sendToken: settings['webhooks.sendToken'],
    headers: settings['webhooks.headers'],
    grantMs: settings['webhooks.keepGrants'],
    concurrencyMax: settings['webhooks.concurrencyMax'],
    insecure: settings['webhooks.insecure'],
    ...(onFault === undefined ? {} : { onFault }),
  });
}

/** Keys as `createApiKeys` takes them. Reads the files that are named. */
export function apiKeysOf(settings: Settings): readonly ApiKey[] {
  const main = settings['auth.apiKey'];
  const others = settings['auth.apiKeys'].map(({ keyFile, ...key }) =>
    keyFile === undefined ? key : { ...key, key: readFileSync(keyFile, 'utf8').replace(/\r?\n$/, '') },
  );
  return [...(main === undefined ? [] : [{ name: 'main', key: main }]), ...others];
}

/** What `createJwtVerifier` takes. Reads the files that are named. */
export function jwtOptionsOf(settings: Settings): JwtVerifierOptions {
  const { 'auth.jwt.type': type, 'auth.jwt.maxLifetime': maxLifetimeMs } = settings;
  const listed = <Item>(name: string, items: readonly Item[]): object => (items.length === 0 ? {} : { [name]: items });
  return {
    keys: verificationKeysOf(settings),
    subjectClaim: settings['auth.jwt.subjectClaim'],
    clockToleranceMs: settings['auth.jwt.clockTolerance'],
    requireExpiry: settings['auth.jwt.requireExpiry'],
    ...listed('algorithms', settings['auth.jwt.algorithms'] as readonly Algorithm[]),
    ...listed('issuer', settings['auth.jwt.issuer']),
    ...listed('audience', settings['auth.jwt.audience']),
    ...(type === undefined ? {} : { type }),
    ...(maxLifetimeMs === undefined ? {} : { maxLifetimeMs }),
  };
}

/** How long credentials that were issued before now can still be good, ms; `undefined` where nothing bounds it. */
export function jwtLifetimeMaxOf(settings: Settings, mode: AuthMode): number | undefined {
  const { 'auth.jwt.maxLifetime': lifetimeMs, 'auth.jwt.clockTolerance': toleranceMs, 'auth.ticketLifetime': ticketMs } = settings;
  // A ticket that a back end gave out has no token behind it that would end it.
  return mode !== 'jwt' || lifetimeMs === undefined ? undefined : Math.max(lifetimeMs + 2 * toleranceMs, ticketMs);
}

function verificationKeysOf(settings: Settings): readonly VerificationKey[] {
  const secrets = [settings['auth.jwt.secret'], settings['auth.jwt.previousSecret']].filter((one) => one !== undefined);
  const { 'auth.jwt.jwksUrl': jwksUrl } = settings;
  return [
    ...secrets.map((secret) => ({ secret })),
    ...settings['auth.jwt.publicKeys'].map((file) => ({ publicKey: readFileSync(file, 'utf8') })),
    ...(jwksUrl === undefined ? [] : [{ jwksUrl }]),
  ];
}
