/**
 * Target: credentials of strangers, against everything that `@holdfast/auth` reads: tokens in every place, capabilities, revocations.
 * Nobody comes in without a token that was given out; a refusal has one of three codes and repeats nothing of the token.
 */

import { createHmac } from 'node:crypto';
import {
  covers,
  createApiKeys,
  createAuthenticate,
  createCapabilities,
  createJwtVerifier,
  createRevocations,
  createTickets,
  generateKeyPair,
  parseRevocation,
  signToken,
  TICKET_PREFIX,
  type Revocation,
  type Tickets,
} from '@holdfast/auth';
import { ACTIONS, type Authenticate, type Authorize, type Credentials, type Identity } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import type { Chance } from './chance.ts';
import { textOf, textStep, type Input, type Step } from './input.ts';
import { value } from './json-grammar.ts';
import { demand, type Target, type World } from './target.ts';

const NOW_MS = 1_767_225_600_000;
const clock = { now: (): number => NOW_MS };
const SECRET = 'a secret of thirty-two bytes or more';
const API_KEY = 'an API key of thirty-two characters.';
const CODES = ['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'REVOKED'];
/** A part of a token as long as this may not be repeated in an error. */
const SECRET_LENGTH = 16;
/** Where the input has a token that is good for once. */
const TICKET_PLACE = 'TICKET';
/** Where it has a token that the issuer signs, whatever it says. */
const SIGNED_PLACE = /SIGN\[([^\]]*)\]/g;

/** What is needed to make tokens; one for the process, since keys take time. */
interface Issuer {
  readonly publicKey: string;
  /** Whatever is before the last dot of a token that was given out: a signature can be written in several ways. */
  readonly issued: ReadonlySet<string>;
  readonly tokens: readonly string[];
}

let issuer: Promise<Issuer> | undefined;

async function createIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = generateKeyPair('EdDSA');
  const claims = { key: { secret: SECRET }, clock, lifetimeMs: 3_600_000 };
  const tokens = await Promise.all([
    signToken({ ...claims, subject: 'alice', credentialId: 'c1', capabilities: { 'chat/:room': ['subscribe', 'publish'] } }),
    signToken({ ...claims, subject: 'bob', credentialId: 'c2', audience: 'others' }),
    signToken({ ...claims, subject: 'late', credentialId: 'c3', clock: { now: () => NOW_MS - 7_200_000 } }),
    signToken({ ...claims, key: { privateKey }, subject: 'carol', credentialId: 'c4' }),
    signToken({ ...claims, key: { secret: SECRET.replace('a', 'A') }, subject: 'eve', credentialId: 'c5' }),
  ]);
  return { publicKey, tokens, issued: new Set([tokens[0], tokens[3]].map(signedPart)) };
}

function signedPart(token: string): string {
  return token.slice(0, token.lastIndexOf('.'));
}

class Tokens implements World {
  readonly #issuer: Issuer;
  readonly #authenticate: Authenticate;
  readonly #tickets: Tickets = createTickets({ clock, ticketsMax: 50, subjectTicketsMax: 40 });
  readonly #revocations = createRevocations({ clock, revocationsMax: 30 });
  readonly #authorize: Authorize = createCapabilities();
  /** What was signed for this input. */
  readonly #signed = new Set<string>();

  constructor(given: Issuer) {
    this.#issuer = given;
    this.#authenticate = createAuthenticate({
      verifier: createJwtVerifier({ keys: [{ secret: SECRET }, { publicKey: given.publicKey }], clock }),
      tickets: this.#tickets,
      apiKeys: createApiKeys([{ name: 'backend', key: API_KEY }]),
      revocations: this.#revocations,
      sources: ['frame', 'authorization', 'cookie:sid', 'subprotocol', 'query:ticket'],
    });
  }

  async take(input: Input): Promise<void> {
    // A ticket for this input alone, and the tokens by their numbers.
    const { ticket } = this.#tickets.issue({ subject: 'ticketed' });
    let isUsed = false;
    this.#signed.clear();
    for (const step of input) {
      const kind = step.op % 8;
      const text = this.#filled(textOf(step), ticket);
      if (kind === 5) this.#revoke(text);
      else if (kind === 6) this.#authorizes(text);
      else {
        const identity = await this.#present(credentialsOf(kind, text), text);
        if (identity?.subject !== 'ticketed') continue;
        demand(!isUsed && text.includes(ticket), () => `a ticket is good twice, or for who does not have it: ${text}`);
        isUsed = true;
      }
    }
    if (isUsed) return;
    this.#tickets.redeem(ticket);
  }

  #filled(text: string, ticket: string): string {
    const withTicket = text.replaceAll(TICKET_PLACE, ticket);
    const withSigned = withTicket.replaceAll(SIGNED_PLACE, (_whole, claims: string) => this.#sign(claims));
    return withSigned.replaceAll(/\{(\d)\}/g, (whole, at: string) => this.#issuer.tokens[Number(at)] ?? whole);
  }

  /** Base64url of claims becomes a token of the issuer's, with claims that it would never give. */
  #sign(claims: string): string {
    const part = `${base64url('{"alg":"HS256"}')}.${claims}`;
    this.#signed.add(part);
    return `${part}.${createHmac('sha256', SECRET).update(part).digest('base64url')}`;
  }

  async #present(credentials: Credentials, text: string): Promise<Identity | undefined> {
    let identity: Identity;
    try {
      identity = await this.#authenticate(credentials);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      demand(CODES.includes(error.code), () => `refused with ${error.code}: ${error.message}`);
      assertSecrecy(error, text);
      return undefined;
    }
    const isKnown = [TICKET_PREFIX, API_KEY, ...this.#issuer.issued, ...this.#signed].some((part) => shows(credentials, part));
    demand(isKnown, () => `"${identity.subject}" came in with what nobody gave out: ${text}`);
    const isOne = identity.subject === 'server:backend' ? shows(credentials, API_KEY) : !identity.subject.startsWith('server:');
    demand(isOne && identity.subject.length > 0, () => `"${identity.subject}" came in`);
    demand(!this.#revocations.isRevoked(identity), () => `"${identity.subject}" came in with what was taken back`);
    return identity;
  }

  #revoke(text: string): void {
    let revocation: Revocation;
    try {
      revocation = parseRevocation(JSON.parse(text));
      this.#revocations.revoke(revocation);
    } catch (error) {
      if (error instanceof SyntaxError) return;
      if (!(error instanceof HoldfastError)) throw error;
      demand(error.code === 'USAGE' || error.code === 'OVERLOADED', () => `a revocation is refused with ${error.code}`);
      return;
    }
    const { subject = 's', credentialId, issuedBeforeMs, untilMs = Infinity } = revocation;
    const identity = {
      subject,
      ...(credentialId === undefined ? {} : { credentialId }),
      ...(issuedBeforeMs === undefined ? {} : { issuedAtMs: issuedBeforeMs - 1 }),
    };
    const isMet = untilMs <= NOW_MS || this.#revocations.isRevoked(identity);
    // At the ends of the doubles a millisecond less is the same.
    demand(isMet || !covers(revocation, identity), () => `a revocation does not meet what it names: ${text}`);
    // It is over for the next input.
    this.#revocations.revoke({ ...revocation, untilMs: 0 });
  }

  #authorizes(text: string): void {
    let claims: unknown;
    try {
      claims = JSON.parse(text);
    } catch {
      return;
    }
    const identity = { subject: 'alice', claims: { holdfast: claims } };
    for (const topic of ['chat/42', 'holdfast/tickets', 'alice', '__proto__']) {
      for (const action of ACTIONS) this.#asks({ identity, action, topic }, text);
    }
  }

  #asks(question: Parameters<Authorize>[0], text: string): void {
    try {
      const grant = this.#authorize(question) as { readonly floor?: unknown };
      demand(typeof grant === 'object' && grant !== null, () => 'a grant is none');
      const { topic } = question;
      demand(!topic.startsWith('holdfast/') || text.includes('holdfast'), () => `"${topic}" is allowed by ${text}`);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      demand(error.code === 'FORBIDDEN', () => `a right is refused with ${error.code}`);
    }
  }

  async check(): Promise<void> {
    const [token] = this.#issuer.tokens;
    const { subject } = await this.#authenticate(credentialsOf(0, token!));
    demand(subject === 'alice', () => `the token of alice is one of "${subject}"`);
    const { ticket } = this.#tickets.issue({ subject: 'witness' });
    const identity = await this.#authenticate(credentialsOf(4, ticket));
    demand(identity.subject === 'witness', () => `the ticket of the witness is one of "${identity.subject}"`);
    demand(
      this.#tickets.count === 0,
      () => `${this.#tickets.count} tickets are kept that were used, one of them for the second time: a ticket is good twice`,
    );
    demand(this.#revocations.list().length === 0, () => `${this.#revocations.list().length} revocations are kept`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function shows({ token = '', headers, url, protocols }: Credentials, part: string): boolean {
  const places = [token, headers['authorization'], headers['cookie'], decodeURIComponentOrNot(url), ...protocols];
  const decoded = protocols.map((protocol) => Buffer.from(protocol.split('.').at(-1) ?? '', 'base64url').toString());
  return [...places, ...decoded].some((place) => String(place).includes(part) || decodeURIComponentOrNot(String(place)).includes(part));
}

function decodeURIComponentOrNot(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** In which place a token is shown. */
function credentialsOf(kind: number, text: string): Credentials {
  const base = { token: undefined, client: 'c', address: '127.0.0.1', headers: {}, url: '/', protocols: [] };
  if (kind === 1) return { ...base, headers: { authorization: text } };
  if (kind === 2) return { ...base, headers: { cookie: text } };
  if (kind === 3) return { ...base, protocols: text.split(',') };
  if (kind === 4) return { ...base, url: `/?ticket=${text}` };
  if (kind === 7) return { ...base, url: text, headers: { cookie: text, authorization: text } };
  return { ...base, token: text };
}

function assertSecrecy(error: HoldfastError, text: string): void {
  const said = `${error.message} ${error.hint}`;
  const parts = text.split(/[^A-Za-z0-9_-]+/).filter(({ length }) => length >= SECRET_LENGTH);
  const told = parts.find((part) => said.includes(part));
  demand(told === undefined, () => `the refusal repeats a part of what was shown: ${said}`);
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

function header(chance: Chance): string {
  const alg = chance.pick(['HS256', 'HS256', 'EdDSA', 'none', 'None', 'RS256', 'HS512', '', 'ES256']);
  const more = chance.is(0.3) ? { [chance.pick(['kid', 'crit', 'b64', 'zip', 'jwk', 'typ', 'cty'])]: value(chance, 1) } : {};
  return base64url(JSON.stringify({ alg, ...more }));
}

function payload(chance: Chance): string {
  const names = ['sub', 'exp', 'iat', 'nbf', 'aud', 'iss', 'jti', 'holdfast'];
  const more = chance.is(0.5) ? { [chance.pick(names)]: value(chance, 1) } : {};
  return base64url(JSON.stringify({ sub: 'alice', exp: NOW_MS / 1000 + 60, ...more }));
}

/** Claims that are nearly right, signed. */
function signed(chance: Chance): string {
  const now = NOW_MS / 1000;
  const claims: Record<string, unknown> = {
    sub: chance.pick(['alice', 'alice', 'server:backend', '', 'x'.repeat(257), '__proto__']),
    exp: now + 60,
  };
  const times = [now, now - 3_600, now + 3_600, now + 4, now - 4, 0, -1, 1e300, 0.5, '1', null];
  const more: Record<string, () => unknown> = {
    exp: () => chance.pick(times),
    nbf: () => chance.pick(times),
    iat: () => chance.pick(times),
    aud: () => chance.pick(['x', [], ['x'], [1], null, '']),
    jti: () => chance.pick(['c1', '', 5, 'x'.repeat(257)]),
    sub: () => value(chance, 1),
    holdfast: () => value(chance, 2),
  };
  for (let count = chance.below(3); count > 0; count--) {
    const name = chance.pick(Object.keys(more));
    claims[name] = more[name]!();
  }
  if (chance.is(0.1)) delete claims[chance.pick(['sub', 'exp'])];
  const text = chance.is(0.95)
    ? JSON.stringify(claims)
    : chance.pick(['', '[]', 'null', '{', '{"__proto__":{},"sub":"alice","exp":9e9}', '{"sub":"alice","exp":1e999}']);
  return `SIGN[${base64url(text)}]`;
}

function token(chance: Chance): string {
  if (chance.is(0.3)) return signed(chance);
  const whole = chance.pick([
    '{0}',
    '{1}',
    '{2}',
    '{3}',
    '{4}',
    TICKET_PLACE,
    API_KEY,
    `${header(chance)}.${payload(chance)}.AAAA`,
    `${TICKET_PREFIX}AAAA`,
    'a.b',
    'a.b.c.d.e',
    '..',
    '',
  ]);
  return chance.is(0.9)
    ? whole
    : chance.pick([
        `${whole}.`,
        ` ${whole}`,
        `${whole}${whole}`,
        `${whole}=`,
        whole.toUpperCase(),
        `${header(chance)}.{0}`,
        'x'.repeat(8_193),
      ]);
}

function place(kind: number, chance: Chance): string {
  if (kind === 1) return chance.pick(['Bearer ', 'Bearer ', 'bearer ', 'Bearer', 'Basic ', 'Bearer  ', '']) + token(chance);
  if (kind === 2)
    return (
      chance.pick(['sid=', 'a=b; sid=', 'sid="', 'sid=x; sid=', ' sid =', '__proto__=; sid=', ';=;']) +
      token(chance) +
      chance.pick(['', '"', ';', '; sid='])
    );
  if (kind === 3) {
    const shown = chance.is(0.5) ? token(chance) : base64url(token(chance));
    return `holdfast.v1,holdfast.token.${shown}${chance.is(0.1) ? `,holdfast.token.${token(chance)}` : ''}`;
  }
  if (kind === 5) {
    const fields = {
      subject: chance.pick(['alice', 'x']),
      credentialId: chance.pick(['c1', 'c9']),
      issuedBeforeMs: chance.pick([NOW_MS, 0, -1]),
      untilMs: chance.pick([NOW_MS + 1, 0]),
    };
    const some = Object.fromEntries(Object.entries(fields).filter(() => chance.is(0.5)));
    return JSON.stringify(
      chance.is(0.8) ? some : chance.is(0.5) ? { ...some, [chance.pick(Object.keys(fields))]: value(chance, 1) } : value(chance, 2),
    );
  }
  if (kind === 6) return capabilities(chance);
  return kind === 7 ? `/?a=${token(chance)}&ticket=${token(chance)}` : token(chance);
}

function capabilities(chance: Chance): string {
  const pattern = (): string =>
    Array.from({ length: 1 + chance.below(3) }, () =>
      chance.pick(['chat', '42', ':room', '*', '{subject}', 'holdfast', 'tickets', '', ':', '__proto__', '**']),
    ).join('/');
  const actions = (): unknown => (chance.is(0.8) ? [chance.pick([...ACTIONS, '*'])] : value(chance, 1));
  const one = (): unknown =>
    chance.is(0.6)
      ? actions()
      : { actions: actions(), ...(chance.is(0.5) ? { [chance.pick(['floor', 'untilMs', 'flor'])]: value(chance, 1) } : {}) };
  return JSON.stringify(
    chance.is(0.9) ? Object.fromEntries(Array.from({ length: chance.below(4) }, () => [pattern(), one()])) : value(chance),
  );
}

function step(chance: Chance): Step {
  const op = chance.below(8);
  return textStep(op, place(op, chance));
}

export const TOKENS: Target = {
  name: 'tokens',
  does: 'credentials in every place where they can come (JWT, tickets, API keys), capabilities, revocations',
  share: 0.12,
  worldInputs: 1_024,
  open: async () => new Tokens(await (issuer ??= createIssuer())),
  generate: (chance): Input => Array.from({ length: 1 + chance.below(4) }, () => step(chance)),
  step,
};
