import { CLOSE_CODES, type Auth, type ErrorCode } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Client } from './client.ts';
import { collect, outcome, payloads, T, World } from './world.testing.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.close();
  expect(world.clock.timerCount, 'timers left behind').toBe(0);
});

/** The tokens that were shown on live connections. */
function shown(): string[] {
  return [...world.server.connections].flatMap(({ received }) =>
    received.filter((message): message is Auth => message.type === 'auth').map(({ token }) => token),
  );
}

/** The server warns that the credentials end in so many ms. */
async function warn(inMs: number): Promise<void> {
  world.server.connection.send({ type: 'expiring', expiresAt: world.server.timeMs + inMs });
  await world.clock.advance(5);
}

/** The server refuses the credentials of the one connection. */
async function refuse(code: ErrorCode): Promise<void> {
  world.server.refuse(world.server.connection, {}, { code });
  world.server.connection.end.close(CLOSE_CODES.UNAUTHENTICATED.code, code);
  await world.clock.advance(5);
}

/** Every `hello` is refused from now on. */
function refuseEveryHello(code: ErrorCode): void {
  world.server.onMessage = (message, connection) => {
    if (message.type !== 'hello') return false;
    world.server.hellos.push(message);
    world.server.refuse(connection, {}, { code });
    connection.end.close(CLOSE_CODES.UNAUTHENTICATED.code, code);
    return true;
  };
}

const statusOf = (client: Client): { phase: string; code: string | undefined; endsInMs: number | undefined } => {
  const { phase, lastError, expiresAtMs } = client.status.getSnapshot();
  return { phase, code: lastError?.code, endsInMs: expiresAtMs === undefined ? undefined : expiresAtMs - world.clock.now() };
};

/** One call of a source, to be answered by the test. */
interface Call {
  resolve(token: string): void;
  reject(error: Error): void;
}

function source(): { readonly token: () => Promise<string>; readonly calls: Call[] } {
  const calls: Call[] = [];
  return { calls, token: () => new Promise((resolve, reject) => calls.push({ resolve, reject })) };
}

describe('credentials that end (HF-3.8)', () => {
  it('are renewed on the live connection when the server warns of it', async () => {
    let asked = 0;
    world.server.expiresAtMs = world.server.timeMs + 60_000;
    const client = await world.connected({ token: () => `token-${++asked}` });
    expect(statusOf(client).endsInMs).toBeLessThanOrEqual(60_000);
    world.server.expiresAtMs = world.server.timeMs + 3_600_000;
    await warn(30_000);
    expect([shown(), asked, world.network.connectCount]).toEqual([['token-2'], 2, 1]);
    expect(statusOf(client)).toMatchObject({ phase: 'open', code: undefined });
    expect(statusOf(client).endsInMs).toBeGreaterThan(3_500_000);
  });

  it('the source is tried again with growing waits while it fails, and the status says so; never twice at a time', async () => {
    const { token, calls } = source();
    const client = world.client({ token });
    await world.clock.advance(1);
    calls[0]!.resolve('first');
    await world.clock.advance(10);
    await warn(300_000);
    await warn(300_000);
    expect(calls).toHaveLength(2);
    // This one never answers; it has 10 s.
    await world.clock.advance(9_900);
    expect([calls.length, statusOf(client).code]).toEqual([2, undefined]);
    const times: number[] = [];
    for (let at = 0; at < 200 && times.length < 5; at++) {
      await world.clock.advance(100);
      if (calls.length < 3 + times.length) continue;
      times.push(world.clock.now());
      calls.at(-1)!.reject(new Error('no network'));
    }
    expect(statusOf(client)).toMatchObject({ phase: 'open', code: 'UNAUTHENTICATED' });
    const waits = times.slice(1).map((time, at) => time - times[at]!);
    expect(Math.max(...waits)).toBeGreaterThan(1_000);
    calls[1]!.resolve('too late');
    while (calls.length < 8) await world.clock.advance(100);
    calls.at(-1)!.resolve('fresh');
    await world.clock.advance(10);
    expect([shown(), statusOf(client).code]).toEqual([['fresh'], undefined]);
    await world.clock.advance(60_000);
    expect(calls).toHaveLength(8);
  });

  it('two warnings are one renewal; a token that the application shows meanwhile ends it', async () => {
    const { token, calls } = source();
    const client = world.client({ token });
    await world.clock.advance(1);
    calls[0]!.resolve('first');
    await world.clock.advance(10);
    await warn(300_000);
    await warn(300_000);
    calls[1]!.resolve('second');
    await world.clock.advance(20);
    expect([shown(), calls.length]).toEqual([['second'], 2]);
    await warn(300_000);
    calls[2]!.reject(new Error('no network'));
    await world.clock.advance(0);
    expect(statusOf(client).code).toBe('UNAUTHENTICATED');
    void client.authenticate('pushed');
    await world.clock.advance(10);
    expect([shown(), statusOf(client).code]).toEqual([['second', 'pushed'], undefined]);
    await world.clock.advance(60_000);
    expect(calls).toHaveLength(3);
    // Closed while it waits to ask again.
    await warn(300_000);
    calls[3]!.reject(new Error('no network'));
    await world.clock.advance(0);
  });

  it('a renewal that the server refuses for now is tried again after retryAfterMs', async () => {
    let asked = 0;
    await world.connected({ token: () => `token-${++asked}` });
    let refusals = 1;
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'auth' || refusals-- <= 0) return false;
      world.server.refuse(connection, { id: message.id }, { code: 'RATE_LIMITED', retryable: true, retryAfterMs: 4_000 });
      return true;
    };
    await warn(30_000);
    await world.clock.advance(3_900);
    expect(shown()).toEqual(['token-2']);
    await world.clock.advance(700);
    expect(shown()).toEqual(['token-2', 'token-3']);
  });

  it('where they were not renewed in time the next connection has a fresh token, and nothing is lost', async () => {
    let isBroken = false;
    let asked = 0;
    const client = await world.connected({
      token: () => {
        asked += 1;
        if (isBroken) throw new Error('no network');
        return `token-${asked}`;
      },
    });
    const items = collect(client.topic(T).items());
    await world.clock.advance(10);
    isBroken = true;
    await warn(20_000);
    await world.clock.advance(30_000);
    const askedInTime = asked;
    expect(askedInTime).toBeGreaterThan(2);
    await world.clock.advance(30_000);
    expect(asked, 'asked after the end').toBe(askedInTime);
    isBroken = false;
    const sent = outcome(client.topic(T).publish('a'));
    await refuse('TOKEN_EXPIRED');
    expect(statusOf(client)).toMatchObject({ phase: 'waiting', code: 'TOKEN_EXPIRED', endsInMs: undefined });
    await world.clock.advance(1_000);
    expect([statusOf(client).phase, world.server.hellos.at(-1)?.token]).toEqual(['open', `token-${asked}`]);
    expect([payloads(items), sent.value?.offset, world.network.connectCount]).toEqual([['a'], 1, 2]);
  });

  it('a token that cannot change stays until the end, which the status tells', async () => {
    const client = await world.connected({ token: 'fixed' });
    await warn(30_000);
    expect([shown(), statusOf(client)]).toMatchObject([[], { phase: 'open', code: undefined }]);
    expect(statusOf(client).endsInMs).toBeGreaterThan(29_000);
    await refuse('TOKEN_EXPIRED');
    expect(statusOf(client)).toMatchObject({ phase: 'closed', code: 'TOKEN_EXPIRED' });
  });

  it('a cut ends the renewal', async () => {
    const { token, calls } = source();
    const client = world.client({ token });
    await world.clock.advance(1);
    calls[0]!.resolve('first');
    await world.clock.advance(10);
    await warn(30_000);
    world.network.cut();
    await world.clock.advance(1_000);
    // The question that was under way serves the new connection.
    expect(calls).toHaveLength(2);
    calls[1]!.resolve('second');
    await world.clock.advance(100);
    expect([statusOf(client), world.server.hellos.map((hello) => hello.token)]).toMatchObject([{ phase: 'open' }, ['first', 'second']]);
    await world.clock.advance(60_000);
    expect(calls).toHaveLength(2);
  });
});

describe('credentials that are taken back (HF-3.9)', () => {
  it('are asked for again; refused twice in a row the client is closed', async () => {
    let asked = 0;
    const client = await world.connected({ token: () => `token-${++asked}` });
    await refuse('REVOKED');
    expect(statusOf(client)).toMatchObject({ phase: 'waiting', code: 'REVOKED' });
    await world.clock.advance(1_000);
    expect([statusOf(client).phase, asked]).toEqual(['open', 2]);
    refuseEveryHello('REVOKED');
    await refuse('REVOKED');
    await world.clock.advance(60_000);
    expect([statusOf(client), asked]).toMatchObject([{ phase: 'closed', code: 'REVOKED' }, 3]);
  });
});

describe('authenticate() (HF-3.6)', () => {
  it('shows a token, in the order of the calls; a source is asked at the next connection as ever', async () => {
    let asked = 0;
    const client = await world.connected({ token: () => `token-${++asked}` });
    const results = [client.authenticate('pushed'), client.authenticate(), client.authenticate('last')].map(outcome);
    await world.clock.advance(20);
    expect([shown(), results]).toEqual([['pushed', 'token-2', 'last'], Array.from({ length: 3 }, () => ({ value: undefined }))]);
    world.network.cut();
    await world.open(client);
    expect(world.server.hellos.at(-1)?.token).toBe('token-3');
  });

  it('takes the place of a fixed token, once the server has accepted it', async () => {
    const client = await world.connected({ token: 'old' });
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'auth' || message.token !== 'bad') return false;
      world.server.refuse(connection, { id: message.id }, { code: 'INTERNAL', retryable: true });
      return true;
    };
    const [bad, good] = ['bad', 'new'].map((token) => outcome(client.authenticate(token)));
    await world.clock.advance(20);
    expect([bad!.code, good]).toEqual(['INTERNAL', { value: undefined }]);
    world.network.cut();
    await world.open(client);
    expect(world.server.hellos.map(({ token }) => token)).toEqual(['old', 'new']);
  });

  it('connects a client again that was closed for want of a valid token', async () => {
    refuseEveryHello('UNAUTHENTICATED');
    const client = world.client({ token: 'old' });
    await world.clock.advance(1_000);
    expect(statusOf(client)).toMatchObject({ phase: 'closed', code: 'UNAUTHENTICATED' });
    world.server.onMessage = () => false;
    const accepted = outcome(client.authenticate('new'));
    await world.clock.advance(100);
    expect([accepted, statusOf(client).phase, world.server.hellos.at(-1)?.token]).toEqual([{ value: undefined }, 'open', 'new']);
  });

  it('rejects with the refusal of a token of another subject, after which the server closes', async () => {
    let asked = 0;
    const client = await world.connected({ token: () => `token-${++asked}` });
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'auth') return false;
      world.server.refuse(connection, { id: message.id }, { code: 'UNAUTHENTICATED' });
      connection.end.close(CLOSE_CODES.UNAUTHENTICATED.code);
      return true;
    };
    const refused = outcome(client.authenticate('bob’s'));
    await world.clock.advance(10);
    expect([refused.code, statusOf(client).phase]).toEqual(['UNAUTHENTICATED', 'waiting']);
    await world.clock.advance(1_000);
    expect([statusOf(client).phase, world.server.hellos.at(-1)?.token]).toEqual(['open', 'token-2']);
  });

  it('rejects where there is no connection within its deadline, or the client is closed', async () => {
    world.network.isUnreachable = true;
    const client = world.client({ token: () => 'token' });
    const late = outcome(client.authenticate());
    await world.clock.advance(11_000);
    expect(late.code).toBe('OFFLINE');
    const cut = outcome(client.authenticate());
    await world.clock.advance(1);
    await client.close();
    await world.clock.advance(1);
    expect(cut.code).toBe('CLOSED');
  });
});
