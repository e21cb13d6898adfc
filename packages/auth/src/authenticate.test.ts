/** The hook as the server calls it, alone and in a connection. */

import {
  createHub,
  createMemoryStore,
  Endpoint,
  type Authenticate,
  type Credentials,
  type Socket,
  type SocketListener,
} from '@holdfast/server';
import type { Json } from '@holdfast/wire';
import { describe, expect, test } from 'vitest';
import {
  createApiKeys,
  createAuthenticate,
  createJwtVerifier,
  createRevocations,
  createTickets,
  generateSecret,
  signToken,
  type AuthenticateOptions,
  type SignTokenOptions,
} from './index.ts';
import { refusalOf, WallClock } from './refusal.testing.ts';

const secret = generateSecret();
const apiKey = generateSecret();
const apiKeys = createApiKeys([{ name: 'billing', key: apiKey }]);

function room(options: Partial<AuthenticateOptions> = {}) {
  const clock = new WallClock();
  const verifier = createJwtVerifier({ keys: { secret }, clock });
  const tickets = createTickets({ clock });
  const revocations = createRevocations({ clock });
  const authenticate = createAuthenticate({ verifier, tickets, apiKeys, revocations, ...options });
  const sign = (more: Partial<SignTokenOptions> = {}): Promise<string> => signToken({ key: { secret }, subject: 'alice', clock, ...more });
  return { clock, tickets, revocations, authenticate, sign, verifier };
}

const shown = (token: string | undefined, more: Partial<Credentials> = {}): Credentials => ({
  token,
  client: 'tab-1',
  address: '127.0.0.1',
  headers: {},
  url: '/',
  protocols: [],
  ...more,
});

describe('whoever shows', () => {
  test('a token is who the verifier says', async () => {
    const { authenticate, sign } = room();
    expect(await authenticate(shown(await sign()))).toMatchObject({ subject: 'alice' });
  });

  test('an API key is that back end', async () => {
    expect(await room().authenticate(shown(apiKey))).toMatchObject({ subject: 'server:billing' });
  });

  test('a ticket is who it was issued for, once', async () => {
    const { authenticate, tickets, sign } = room();
    const identity = await authenticate(shown(await sign()));
    const { ticket } = tickets.issue(identity);
    expect(await authenticate(shown(ticket))).toMatchObject(identity);
    expect(await refusalOf(() => authenticate(shown(ticket)), ticket)).toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('used already'),
    });
  });

  test('one ticket twice at the same time comes in once', async () => {
    const { authenticate, tickets } = room();
    const { ticket } = tickets.issue({ subject: 'alice' });
    const results = await Promise.allSettled([authenticate(shown(ticket)), authenticate(shown(ticket))]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('refused', () => {
  test('a ticket that has run out', async () => {
    const { authenticate, tickets, clock } = room();
    const { ticket, expiresAtMs } = tickets.issue({ subject: 'alice' });
    clock.nowMs = expiresAtMs;
    expect(await refusalOf(() => authenticate(shown(ticket)), ticket)).toMatchObject({
      code: 'UNAUTHENTICATED',
      message: 'the ticket has run out',
    });
  });

  test('an expired token', async () => {
    const { authenticate, sign, clock } = room();
    const token = await sign({ lifetimeMs: 1_000 });
    clock.nowMs += 10_000;
    expect(await refusalOf(() => authenticate(shown(token)), token)).toMatchObject({ code: 'TOKEN_EXPIRED' });
  });

  test('a revoked token, by its id, its subject or its age, and no other one', async () => {
    const { authenticate, sign, revocations, clock } = room();
    const [stolen, other] = [await sign({ credentialId: 'stolen' }), await sign({ credentialId: 'other' })];
    revocations.revoke({ credentialId: 'stolen' });
    expect(await refusalOf(() => authenticate(shown(stolen)), stolen)).toMatchObject({ code: 'REVOKED', hint: 'Sign in again.' });
    expect(await authenticate(shown(other))).toMatchObject({ credentialId: 'other' });
    revocations.revoke({ subject: 'alice', issuedBeforeMs: clock.nowMs });
    expect(await refusalOf(() => authenticate(shown(other)), other)).toMatchObject({ code: 'REVOKED' });
    clock.nowMs += 1_000;
    expect(await authenticate(shown(await sign()))).toMatchObject({ subject: 'alice' });
    revocations.revoke({ subject: 'alice' });
    const again = await sign();
    expect(await refusalOf(() => authenticate(shown(again)), again)).toMatchObject({ code: 'REVOKED' });
  });

  test('the ticket of somebody who was revoked after it was issued', async () => {
    const { authenticate, tickets, revocations, sign } = room();
    const [one, two] = await Promise.all(
      ['c-1', 'c-2'].map(async (credentialId) => tickets.issue(await authenticate(shown(await sign({ credentialId }))))),
    );
    revocations.revoke({ credentialId: 'c-1' });
    expect(await refusalOf(() => authenticate(shown(one!.ticket)), one!.ticket)).toMatchObject({ code: 'REVOKED' });
    revocations.revoke({ subject: 'alice' });
    expect(await refusalOf(() => authenticate(shown(two!.ticket)), two!.ticket)).toMatchObject({ code: 'REVOKED' });
  });

  test('an API key whose back end was revoked', async () => {
    const { authenticate, revocations } = room();
    revocations.revoke({ subject: 'server:billing' });
    expect(await refusalOf(() => authenticate(shown(apiKey)), apiKey)).toMatchObject({ code: 'REVOKED' });
  });

  test('an oversized token, before anybody looks at it', async () => {
    let looked = 0;
    const authenticate = createAuthenticate({ verifier: () => ((looked += 1), { subject: 'alice' }), sources: ['query:t'] });
    const token = 'x'.repeat(8193);
    const refusal = await refusalOf(() => authenticate(shown(undefined, { url: `/?t=${token}` })), token);
    expect([refusal.code, refusal.message, looked]).toEqual([
      'UNAUTHENTICATED',
      'the token has 8193 characters; at most 8192 are accepted',
      0,
    ]);
    expect(await authenticate(shown(undefined, { url: `/?t=${token.slice(1)}` }))).toEqual({ subject: 'alice' });
  });

  test('what is not accepted here', async () => {
    const { verifier, tickets } = room();
    const { ticket } = tickets.issue({ subject: 'alice' });
    expect(await refusalOf(() => createAuthenticate({ verifier })(shown(ticket)), ticket)).toMatchObject({
      message: 'tickets are not accepted here',
    });
    expect(await refusalOf(() => createAuthenticate({ tickets, apiKeys })(shown(secret)), secret)).toMatchObject({
      code: 'UNAUTHENTICATED',
      message: 'the token is neither a ticket nor an API key that is known here',
    });
  });

  test('options that let nobody in', async () => {
    expect(await refusalOf(() => createAuthenticate({}))).toMatchObject({ code: 'USAGE' });
    expect(await refusalOf(() => createAuthenticate({ apiKeys, sources: [] }))).toMatchObject({ code: 'USAGE' });
  });
});

/** A client of a hub without a network. */
class Visitor implements Socket {
  readonly bufferedBytes = 0;
  readonly received: Record<string, Json>[] = [];
  closed: number | undefined;
  #listener: SocketListener | undefined;
  #waiting: (() => void)[] = [];

  send(frame: string | Uint8Array): void {
    this.received.push(JSON.parse(frame.toString()) as Record<string, Json>);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  close(code: number): void {
    this.closed = code;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  terminate(): void {}

  limitArrival(): void {}

  listen(listener: SocketListener): void {
    this.#listener = listener;
  }

  say(message: object): void {
    this.#listener!.onFrame(JSON.stringify(message));
  }

  async receives(type: string): Promise<Record<string, Json>> {
    for (;;) {
      const found = this.received.find((message) => message['type'] === type);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

describe('in a connection', () => {
  /** At the time of the hub, which is the machine's. */
  function present(options: Partial<AuthenticateOptions> = {}) {
    const made = room(options);
    made.clock.nowMs = Date.now();
    return made;
  }

  function visit(authenticate: Authenticate, headers: Credentials['headers']): Visitor {
    const hub = createHub({ store: createMemoryStore() });
    const visitor = new Visitor();
    hub.accept(visitor, {
      endpoint: new Endpoint({ authenticate }),
      address: '127.0.0.1',
      headers,
      url: '/',
      protocols: ['holdfast.v1'],
      isProtocol: true,
    });
    return visitor;
  }

  test('HF-3.6: the token of "auth" counts, and the cookie of the upgrade no more', async () => {
    const { authenticate, sign, revocations } = present({ sources: ['frame', 'cookie:session'] });
    const visitor = visit(authenticate, { cookie: `session=${await sign({ credentialId: 'older' })}` });
    visitor.say({ type: 'hello', client: 'tab-1' });
    expect(await visitor.receives('welcome')).toMatchObject({ subject: 'alice' });
    revocations.revoke({ credentialId: 'older' });
    visitor.say({ type: 'auth', id: 1, token: await sign() });
    expect(await visitor.receives('reply')).toMatchObject({ id: 1, data: { subject: 'alice' } });
  });

  test('HF-3.3: a revoked one is told so', async () => {
    const { authenticate, sign, revocations } = present();
    revocations.revoke({ subject: 'alice' });
    const visitor = visit(authenticate, {});
    visitor.say({ type: 'hello', client: 'tab-1', token: await sign() });
    expect(await visitor.receives('error')).toMatchObject({ code: 'REVOKED', retryable: false });
    expect(visitor.closed).toBeGreaterThanOrEqual(4000);
  });
});
