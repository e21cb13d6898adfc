import { CLOSE_CODES } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Client, ClientStatus } from './client.ts';
import type { ServerEnd } from './memory-network.testing.ts';
import { World } from './world.testing.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(async () => {
  await world.close();
  expect(world.clock.timerCount, 'timers left behind').toBe(0);
});

const phaseOf = (client: Client): ClientStatus['phase'] => client.status.getSnapshot().phase;
const codeOf = (client: Client): string | undefined => client.status.getSnapshot().lastError?.code;

/** The server closes the one connection. */
function closeWith(code: number, reason = ''): void {
  world.server.connection.end.close(code, reason);
}

/** When each attempt to connect began, in ms from now on. */
async function attempts(forMs: number): Promise<number[]> {
  const startMs = world.clock.now();
  const times: number[] = [];
  const { socket } = world.network;
  let seen = world.network.connectCount;
  for (let at = 0; at < forMs; at += 5) {
    await world.clock.advance(5);
    for (; seen < world.network.connectCount; seen++) times.push(world.clock.now() - startMs);
  }
  expect(socket).toBe(world.network.socket);
  return times;
}

/** The time from each to the next. */
const between = (times: readonly number[]): number[] => times.slice(1).map((time, at) => time - times[at]!);

describe('opening', () => {
  it('HF-2.1, HF-3.1: offers the subprotocol and says hello first, with its name and the token', async () => {
    let offered: readonly string[] = [];
    const accept = world.network.onConnect;
    world.network.onConnect = (end: ServerEnd) => {
      offered = end.protocols;
      accept(end);
    };
    await world.connected({ client: 'tab-1', token: 'secret' });
    expect(offered).toEqual(['holdfast.v1']);
    expect(world.server.hellos).toEqual([{ type: 'hello', client: 'tab-1', token: 'secret' }]);
  });

  it('tells its phases, the subject, and that nothing is wrong', async () => {
    const client = world.client();
    expect(phaseOf(client)).toBe('idle');
    await world.clock.advance(0);
    expect(phaseOf(client)).toBe('connecting');
    await world.clock.advance(10);
    expect(client.status.getSnapshot()).toEqual({
      phase: 'open',
      attempt: 0,
      retryAtMs: undefined,
      rttMs: 2,
      endpoint: 'ws://server',
      queuedCount: 0,
      uncertainCount: 0,
      subject: 'alice',
      expiresAtMs: undefined,
      lastError: undefined,
    });
  });

  it('gives up an attempt that is not welcomed within 10 s, and leaves nothing open', async () => {
    world.network.onConnect = () => {};
    const client = world.client();
    await world.clock.advance(9_999);
    expect(phaseOf(client)).toBe('connecting');
    expect(world.network.ends.size).toBe(1);
    await world.clock.advance(10);
    expect([phaseOf(client), codeOf(client)]).toEqual(['waiting', 'CONNECT_TIMEOUT']);
    expect(world.network.ends.size).toBe(0);
  });

  it('waits where the factory throws', async () => {
    const client = world.client({
      socket: () => {
        throw new Error('no network stack');
      },
    });
    await world.clock.advance(0);
    expect(phaseOf(client)).toBe('waiting');
    expect(client.status.getSnapshot().lastError?.message).toContain('no network stack');
  });

  it('refuses options that cannot work, at once', () => {
    const { socket } = world.network;
    expect(() => world.client({ url: 'http://x' })).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => world.client({ socket, client: 'a b' })).toThrow('client');
    expect(() => world.client({ socket, window: 0 })).toThrow('window');
    expect(() => world.client({ socket, outboxCountMax: 1.5 })).toThrow('outboxCountMax');
  });
});

describe('waiting to connect again (HF-11.3)', () => {
  it('spreads the first attempt over what the server announced', async () => {
    world.server.spreadMs = 4_000;
    const waits = new Set<number>();
    for (let seed = 0; seed < 20; seed++) {
      const own = new World(seed);
      own.server.spreadMs = 4_000;
      const client = await own.connected();
      await own.clock.advance(10_000);
      own.network.cut();
      await own.clock.advance(0);
      waits.add(client.status.getSnapshot().retryAtMs! - own.clock.now());
      await own.close();
    }
    expect(Math.max(...waits)).toBeLessThan(4_000);
    expect(Math.min(...waits)).toBeLessThan(1_000);
    expect(Math.max(...waits)).toBeGreaterThan(3_000);
  });

  it('HF-11.1: waits as long as an error before the close asks for', async () => {
    const client = await world.connected();
    world.server.refuse(world.server.connection, {}, { code: 'TOO_MANY_CONNECTIONS', retryable: true, retryAfterMs: 30_000 });
    closeWith(CLOSE_CODES.OVERLOADED.code);
    const [first] = await attempts(35_000);
    expect(first).toBeGreaterThanOrEqual(30_000);
    expect(phaseOf(client)).toBe('open');
  });

  it('waits longer and longer, up to 5 s, with jitter, for as long as it takes', async () => {
    world.network.isUnreachable = true;
    const client = world.client();
    const times = await attempts(150_000);
    const waits = between(times);
    expect(Math.max(...waits.slice(0, 2))).toBeLessThan(1_000);
    expect(Math.max(...waits)).toBeGreaterThan(4_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(5_010);
    expect(new Set(waits).size).toBeGreaterThan(waits.length / 2);
    expect(client.status.getSnapshot().attempt).toBe(times.length);
  });

  it('waits up to 20 s where the server refuses', async () => {
    world.server.onMessage = (_message, connection) => {
      connection.end.close(CLOSE_CODES.OVERLOADED.code);
      return true;
    };
    world.client();
    const waits = between(await attempts(300_000));
    expect(Math.max(...waits)).toBeGreaterThan(10_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(20_010);
  });

  it('spreads further attempts too over what the server announced, if that is more', async () => {
    world.server.spreadMs = 30_000;
    await world.connected();
    world.network.isUnreachable = true;
    world.network.cut();
    const waits = between(await attempts(600_000));
    expect(Math.max(...waits)).toBeGreaterThan(20_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_010);
  });

  it('spreads every return to a server that welcomes, stands for 3 s and dies', async () => {
    const waits: number[] = [];
    for (let seed = 0; seed < 20; seed++) {
      const own = new World(seed);
      own.server.spreadMs = 4_000;
      const client = await own.connected();
      for (let life = 0; life < 3; life++) {
        await own.clock.advance(3_000);
        own.network.cut();
        await own.clock.advance(0);
        waits.push(client.status.getSnapshot().retryAtMs! - own.clock.now());
        while (phaseOf(client) !== 'open') await own.clock.advance(100);
      }
      await own.close();
    }
    const quarters = [0, 1, 2, 3].map((quarter) => waits.filter((wait) => Math.floor(wait / 1_000) === quarter).length);
    expect(Math.min(...quarters)).toBeGreaterThanOrEqual(7);
    expect(quarters.reduce((sum, count) => sum + count)).toBe(60);
  });

  it('begins anew only after a connection that lasted 2 s', async () => {
    const client = await world.connected();
    for (let n = 1; n <= 5; n++) {
      await world.clock.advance(1_800);
      world.network.cut();
      await world.clock.advance(0);
      expect(client.status.getSnapshot().attempt).toBe(n);
      while (phaseOf(client) !== 'open') await world.clock.advance(100);
    }
    await world.clock.advance(2_000);
    world.network.cut();
    await world.clock.advance(0);
    expect(client.status.getSnapshot().attempt).toBe(1);
  });

  it('stops after attemptsMax, and retryNow() begins again', async () => {
    world.network.isUnreachable = true;
    const client = world.client({ attemptsMax: 3 });
    await world.clock.advance(60_000);
    expect(phaseOf(client)).toBe('closed');
    expect(world.network.connectCount).toBe(4);
    world.network.isUnreachable = false;
    client.retryNow();
    await world.clock.advance(10);
    expect(phaseOf(client)).toBe('open');
  });

  it('retryNow() cuts a wait short and makes one connection, not two', async () => {
    world.network.isUnreachable = true;
    const client = world.client();
    await world.clock.advance(100);
    world.network.isUnreachable = false;
    while (phaseOf(client) !== 'waiting') await world.clock.advance(1);
    client.retryNow();
    client.retryNow();
    const { connectCount } = world.network;
    await world.clock.advance(60_000);
    expect([phaseOf(client), world.network.connectCount, world.server.connections.size]).toEqual(['open', connectCount, 1]);
  });
});

describe('what a close code asks (HF-11.1)', () => {
  it('4000 to 4099: stops and says why', async () => {
    const client = await world.connected();
    closeWith(CLOSE_CODES.FENCED.code);
    await world.clock.advance(60_000);
    expect([phaseOf(client), codeOf(client), world.network.connectCount]).toEqual(['closed', 'CLOSED', 1]);
    expect(client.status.getSnapshot().lastError?.message).toContain('another live connection');
  });

  it('explains a stop with the error that came before it', async () => {
    const client = await world.connected();
    world.server.refuse(world.server.connection, {}, { code: 'TOO_MANY_ERRORS' });
    closeWith(CLOSE_CODES.PROTOCOL.code);
    await world.clock.advance(10);
    expect([phaseOf(client), codeOf(client)]).toEqual(['closed', 'TOO_MANY_ERRORS']);
  });

  it('4100 to 4199: waits a growing time even after a stable connection', async () => {
    const waits: number[] = [];
    for (let seed = 0; seed < 20; seed++) {
      const own = new World(seed);
      own.server.spreadMs = 1;
      const client = await own.connected();
      await own.clock.advance(20_000);
      own.server.connection.end.close(CLOSE_CODES.OVERLOADED.code);
      while (client.status.getSnapshot().retryAtMs === undefined) await own.clock.advance(1);
      waits.push(client.status.getSnapshot().retryAtMs! - own.clock.now());
      await own.close();
    }
    expect(Math.max(...waits)).toBeGreaterThan(250);
  });

  it('4200 to 4299, 1006 and everything else: comes back', async () => {
    const client = await world.connected();
    for (const code of [CLOSE_CODES.GOING_AWAY.code, CLOSE_CODES.HELLO_TIMEOUT.code, 1006, 1001, 1000, 1011, 3000]) {
      closeWith(code);
      await world.clock.advance(10);
      while (phaseOf(client) !== 'open') await world.clock.advance(100);
      await world.clock.advance(10_000);
    }
    expect(world.network.connectCount).toBe(8);
  });

  it('4300 to 4399: asks for the token again, and stops when that is refused too', async () => {
    let asked = 0;
    const client = world.client({ token: async () => `token-${++asked}` });
    world.server.onMessage = (message, connection) => {
      if (message.type !== 'hello' || message.token === 'token-2') return false;
      world.server.refuse(connection, {}, { code: 'UNAUTHENTICATED' });
      connection.end.close(CLOSE_CODES.UNAUTHENTICATED.code);
      return true;
    };
    await world.clock.advance(1_000);
    expect([phaseOf(client), asked]).toEqual(['open', 2]);
    closeWith(CLOSE_CODES.UNAUTHENTICATED.code);
    await world.clock.advance(60_000);
    expect([phaseOf(client), codeOf(client), asked]).toEqual(['closed', 'UNAUTHENTICATED', 3]);
    asked = 1;
    client.retryNow();
    await world.clock.advance(1_000);
    expect(phaseOf(client)).toBe('open');
  });

  it('does not try a token that cannot change a second time', async () => {
    world.server.onMessage = (_message, connection) => {
      connection.end.close(CLOSE_CODES.UNAUTHENTICATED.code);
      return true;
    };
    const client = world.client({ token: 'stale' });
    await world.clock.advance(60_000);
    expect([phaseOf(client), codeOf(client), world.network.connectCount]).toEqual(['closed', 'UNAUTHENTICATED', 1]);
  });
});

describe('the token', () => {
  it('that cannot be had is a failed attempt, with its reason', async () => {
    let isDown = true;
    const client = world.client({
      token: () => {
        if (isDown) throw new Error('login server down');
        return 'fresh';
      },
    });
    await world.clock.advance(0);
    expect([phaseOf(client), codeOf(client)]).toEqual(['waiting', 'UNAUTHENTICATED']);
    expect(client.status.getSnapshot().lastError?.message).toContain('login server down');
    isDown = false;
    await world.clock.advance(60_000);
    expect([phaseOf(client), world.server.hellos[0]?.token]).toEqual(['open', 'fresh']);
  });

  it('that never comes is given up after 10 s, and is ignored when it comes late', async () => {
    const resolvers: ((token: string) => void)[] = [];
    const client = world.client({ token: () => new Promise((resolve) => resolvers.push(resolve)) });
    await world.clock.advance(9_000);
    expect(phaseOf(client)).toBe('connecting');
    while (phaseOf(client) !== 'waiting') await world.clock.advance(1);
    resolvers[0]!('late');
    await world.clock.advance(0);
    expect([phaseOf(client), world.network.connectCount]).toEqual(['waiting', 0]);
    while (resolvers.length < 2) await world.clock.advance(500);
    resolvers[1]!('in time');
    await world.clock.advance(10);
    expect([phaseOf(client), world.server.hellos[0]?.token]).toEqual(['open', 'in time']);
  });
});

describe('the heartbeat (HF-8)', () => {
  it('answers a ping with its id', async () => {
    await world.connected();
    const { connection } = world.server;
    connection.send({ type: 'ping', id: 'x' });
    connection.send({ type: 'ping' });
    await world.clock.advance(10);
    expect(connection.received.slice(1)).toEqual([{ type: 'pong', id: 'x' }, { type: 'pong' }]);
  });

  it('HF-8.2: asks a silent server, and takes a new socket within 2.5 s at a heartbeat of 1 s', async () => {
    world.server.heartbeatMs = 1_000;
    const client = await world.connected();
    const [end] = world.network.ends;
    world.network.cut(true);
    const phases: string[] = [];
    const stop = client.status.subscribe(() => phases.push(phaseOf(client)));
    await world.clock.advance(2_500);
    stop();
    expect(phases).toEqual(['suspect', 'waiting', 'connecting', 'open']);
    expect([world.network.connectCount, end!.isOpen]).toEqual([2, false]);
  });

  it('HF-8.2: asks after 1.25 heartbeats of silence, and an answer is enough', async () => {
    world.server.heartbeatMs = 1_000;
    const client = await world.connected();
    const { connection } = world.server;
    await world.clock.advance(10_000);
    expect(connection.received.filter(({ type }) => type === 'ping')).toHaveLength(7);
    expect([phaseOf(client), world.network.connectCount]).toEqual(['open', 1]);
  });

  it("HF-8.2: says something every heartbeat while a frame is still coming in, behind which the server's ping waits", async () => {
    world.server.heartbeatMs = 1_000;
    await world.connected();
    const [end] = world.network.ends;
    const { connection } = world.server;
    for (let part = 0; part < 100; part++) {
      end!.sendPart();
      await world.clock.advance(100);
    }
    const said = connection.received.slice(1).map(({ type }) => type);
    expect(new Set(said)).toEqual(new Set(['pong']));
    expect(said.length).toBeGreaterThanOrEqual(9);
    expect(said.length).toBeLessThanOrEqual(10);
    expect(world.network.connectCount).toBe(1);
  });

  it('lives on any frame that arrives', async () => {
    world.server.heartbeatMs = 1_000;
    await world.connected();
    for (let n = 0; n < 10; n++) {
      world.server.connection.send({ type: 'ping' });
      await world.clock.advance(1_500);
    }
    expect(world.network.connectCount).toBe(1);
  });

  it('a long sleep is a reason to ask, not to give up: what answers goes on', async () => {
    world.server.heartbeatMs = 1_000;
    const client = await world.connected();
    world.clock.sleep(3_600_000);
    await world.clock.advance(1_000);
    expect([phaseOf(client), world.network.connectCount]).toEqual(['open', 1]);
  });

  it('after a long sleep on a dead link there is a new socket within 2.5 s', async () => {
    world.server.heartbeatMs = 25_000;
    const client = await world.connected();
    world.network.cut(true);
    world.clock.sleep(3_600_000);
    await world.clock.advance(2_500);
    expect([phaseOf(client), world.network.connectCount]).toEqual(['open', 2]);
  });

  it('a timer that comes late by itself waits once more for what could not be heard, and then no more', async () => {
    world.server.heartbeatMs = 1_000;
    const client = await world.connected();
    world.network.cut(true);
    await world.clock.advance(1_500);
    expect(phaseOf(client)).toBe('suspect');
    world.clock.sleep(60_000);
    await world.clock.advance(0);
    expect([phaseOf(client), world.network.connectCount]).toEqual(['open', 1]);
    await world.clock.advance(1_500);
    expect([phaseOf(client), world.network.connectCount]).toEqual(['open', 2]);
  });

  it('HF-8.1: takes the spread that a ping tells', async () => {
    const client = await world.connected();
    world.server.connection.send({ type: 'ping', spreadMs: 1_000_000 });
    await world.clock.advance(10);
    world.network.cut();
    await world.clock.advance(0);
    expect(client.status.getSnapshot().retryAtMs! - world.clock.now()).toBeGreaterThan(250);
  });
});

describe('what must not happen', () => {
  it('HF-5.8: an entry out of its place closes with 4202 and comes back', async () => {
    const client = await world.connected();
    const codes: number[] = [];
    const { end } = world.server.connection;
    const gone = end.onGone;
    end.onGone = (code, reason) => {
      codes.push(code);
      gone(code, reason);
    };
    end.send('{"type":"entry","topic":"chat/1","offset":9,"producer":"p","seq":1,"from":"x","at":1,"data":1}');
    await world.clock.advance(10);
    expect(codes).toEqual([4202]);
    expect(codeOf(client)).toBe('OUT_OF_ORDER');
    await world.clock.advance(1_000);
    expect(phaseOf(client)).toBe('open');
  });

  it('comes back from a frame that nobody understands', async () => {
    const client = await world.connected();
    world.server.connection.end.send('<html>');
    await world.clock.advance(1_000);
    expect([phaseOf(client), world.network.connectCount]).toEqual(['open', 2]);
  });

  it('ignores what an abandoned socket still says', async () => {
    const client = await world.connected();
    const { end } = world.server.connection;
    end.send('<html>');
    end.close(CLOSE_CODES.FENCED.code);
    await world.clock.advance(1_000);
    expect(phaseOf(client)).toBe('open');
  });

  it('HF-1.5: ignores messages of types that it does not know', async () => {
    const client = await world.connected();
    world.server.connection.end.send('{"type":"fireworks"}');
    await world.clock.advance(1_000);
    expect([phaseOf(client), world.network.connectCount]).toEqual(['open', 1]);
  });
});

describe('goaway (HF-8.3)', () => {
  it('takes a new socket within the spread', async () => {
    const client = await world.connected();
    world.server.connection.send({ type: 'goaway', reason: 'deploy', spreadMs: 2_000 });
    await world.clock.advance(2_010);
    expect([phaseOf(client), world.network.connectCount, world.server.connections.size]).toEqual(['open', 2, 1]);
  });

  it('goes to the alternate once, but never from wss to ws', async () => {
    const urls: string[] = [];
    const accept = world.network.onConnect;
    world.network.onConnect = (end) => {
      urls.push(end.url);
      accept(end);
    };
    await world.connected({ url: 'wss://one' });
    for (const alternate of ['wss://two', 'ws://three']) {
      world.server.connection.send({ type: 'goaway', reason: 'deploy', spreadMs: 0, alternate });
      await world.clock.advance(100);
    }
    expect(urls).toEqual(['wss://one', 'wss://two', 'wss://one']);
  });

  it('comes back within the spread if the server closes first, once', async () => {
    const client = await world.connected();
    world.server.connection.send({ type: 'goaway', reason: 'deploy', spreadMs: 60_000 });
    closeWith(CLOSE_CODES.GOING_AWAY.code);
    await world.clock.advance(60_010);
    await world.clock.advance(120_000);
    expect([phaseOf(client), world.network.connectCount]).toEqual(['open', 2]);
  });
});

describe('pause() and resume()', () => {
  it('keeps what is published, connects at once, and resumes', async () => {
    const client = await world.connected();
    client.pause();
    const published = client.topic('chat/1').publish('later');
    await world.clock.advance(60_000);
    expect([phaseOf(client), world.server.connections.size, world.network.connectCount]).toEqual(['idle', 0, 1]);
    client.resume();
    await world.clock.advance(10);
    expect((await published).offset).toBe(1);
  });

  it('before the outbox is loaded counts too', async () => {
    const client = world.client();
    client.pause();
    await world.clock.advance(60_000);
    expect([phaseOf(client), world.network.connectCount]).toEqual(['idle', 0]);
    client.resume();
    await world.clock.advance(10);
    expect(phaseOf(client)).toBe('open');
  });
});

it('takes another address where the first cannot be had', async () => {
  world.network.isUnreachable = true;
  const client = world.client({ url: ['ws://one', 'ws://two'] });
  await world.clock.advance(5);
  world.network.isUnreachable = false;
  await world.clock.advance(250);
  expect([phaseOf(client), client.status.getSnapshot().endpoint]).toEqual(['open', 'ws://two']);
});

describe('close()', () => {
  it('closes the socket with 1000, and nothing comes after it', async () => {
    const client = await world.connected();
    const codes: number[] = [];
    world.server.connection.end.onGone = (code) => codes.push(code);
    await client.close();
    await world.clock.advance(60_000);
    expect([phaseOf(client), codes, world.network.connectCount]).toEqual(['closed', [1000], 1]);
    client.retryNow();
    await world.clock.advance(1_000);
    expect(world.network.connectCount).toBe(1);
  });

  it('ends an attempt that is under way', async () => {
    world.network.onConnect = () => {};
    const client = world.client();
    await world.clock.advance(5);
    await client.close();
    await world.clock.advance(5);
    expect(world.network.ends.size).toBe(0);
  });

  it('is one promise, however often it is called', async () => {
    const client = await world.connected();
    expect(client.close()).toBe(client.close());
    await client[Symbol.asyncDispose]();
    expect(phaseOf(client)).toBe('closed');
  });
});
