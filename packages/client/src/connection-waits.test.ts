import { HoldfastError } from '@holdfast/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createConnection, type Connection, type ConnectionOptions } from './connection.ts';
import { FakeSockets, type FakeSocket } from './fake-sockets.testing.ts';
import { settle, VirtualClock } from './virtual-clock.testing.ts';

const DRAW = 0.999;

let clock: VirtualClock;
let sockets: FakeSockets;
let connection: Connection;

beforeEach(() => {
  clock = new VirtualClock();
  sockets = new FakeSockets();
});
afterEach(async () => {
  await connection.close();
  expect([clock.timerCount, sockets.live.length], 'timers or sockets left behind').toEqual([0, 0]);
});

async function connect(onSocket: (socket: FakeSocket) => void, options: Partial<ConnectionOptions> = {}): Promise<void> {
  sockets.onSocket = onSocket;
  connection = createConnection({ urls: 'ws://one', socket: sockets.factory, clock, random: () => DRAW, ...options });
  await settle();
}

const attempt = (): number => connection.status.getSnapshot().attempt;
/** Of the present wait, what is left. */
const waitMs = (): number => connection.status.getSnapshot().retryAtMs! - clock.now();

const open = (socket: FakeSocket): void => socket.open();
const fail = (socket: FakeSocket): void => socket.end();
function refuse(socket: FakeSocket): void {
  socket.end({ code: 1006, reason: '', clean: false, httpStatus: 503, cause: new HoldfastError('UPGRADE_REFUSED') });
}

/** The bounds of the first waits, to the next 10 ms: each wait is `DRAW` of its bound. */
async function boundsMs(count: number): Promise<number[]> {
  const bounds: number[] = [];
  while (bounds.length < count) {
    bounds.push(Math.round(waitMs() / DRAW / 10) * 10);
    await clock.advance(waitMs());
  }
  return bounds;
}

describe('HF-11.3: waiting before the next attempt', () => {
  it('doubles to 5 s where the server cannot be reached', async () => {
    await connect(fail);
    expect(await boundsMs(8)).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
  });

  it('doubles to 20 s where the server refuses', async () => {
    await connect(refuse);
    expect(await boundsMs(8)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
  });

  it('goes by the attempt that failed last', async () => {
    await connect(refuse);
    await boundsMs(6);
    sockets.onSocket = fail;
    await clock.advance(waitMs());
    expect(await boundsMs(1)).toEqual([5_000]);
    sockets.onSocket = refuse;
    await clock.advance(waitMs());
    expect(await boundsMs(1)).toEqual([20_000]);
  });

  it('is never over less than the spread', async () => {
    await connect(open, { spreadMs: 3_000 });
    sockets.onSocket = fail;
    sockets.last.end();
    await settle();
    expect(await boundsMs(7)).toEqual([3_000, 3_000, 3_000, 3_000, 4_000, 5_000, 5_000]);
  });

  it('has one bound where the application names it', async () => {
    await connect(refuse, { backoff: { capMs: 1_500 } });
    expect(await boundsMs(4)).toEqual([500, 1_000, 1_500, 1_500]);
    sockets.onSocket = fail;
    await clock.advance(waitMs());
    expect(await boundsMs(1)).toEqual([1_500]);
  });

  it('begins anew after a connection that was open for 2 s', async () => {
    await connect(open);
    for (const [standsMs, attemptNow] of [
      [1_999, 1],
      [1_999, 2],
      [2_000, 1],
    ] as const) {
      await clock.advance(standsMs);
      sockets.last.end();
      await settle();
      expect(attempt()).toBe(attemptNow);
      await clock.advance(waitMs());
      expect(connection.status.getSnapshot().phase).toBe('open');
    }
  });
});
