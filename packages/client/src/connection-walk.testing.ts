/**
 * Random walks of a real connection: its driver, queue, stream and promises, over sockets that a walk plays by hand and a clock
 * that it moves. After each step: at most one socket that is used. After `close`: every promise settled, no timer, no socket,
 * no listener, and nothing that changes it any more.
 */

import { HoldfastError } from '@holdfast/wire';
import { createConnection, type Connection } from './connection.ts';
import type { Phase } from './connection-machine.ts';
import { FakeSockets, type FakeSocket } from './fake-sockets.testing.ts';
import type { LifecycleHint } from './lifecycle.ts';
import { settle, VirtualClock } from './virtual-clock.testing.ts';

export interface ConnectionWalks {
  readonly actionCount: number;
  readonly socketCount: number;
  readonly phases: ReadonlySet<Phase>;
}

/** Throws an `Error` that tells the walk's steps for what must not be. */
export async function walkConnection(count: number, length: number, random: () => number): Promise<ConnectionWalks> {
  const phases = new Set<Phase>();
  let actionCount = 0;
  let socketCount = 0;
  for (let n = 0; n < count; n++) {
    const world = new Walk(random);
    for (let taken = 0; taken < length; taken++) {
      await world.act();
      actionCount += 1;
      phases.add(world.connection.status.getSnapshot().phase);
    }
    await world.end();
    socketCount += world.sockets.all.length;
  }
  return { actionCount, socketCount, phases };
}

const FAILURES = [{ code: 1006 }, { code: 4000 }, { code: 4100 }, { code: 4200 }, { code: 4300 }, { code: 1000, clean: true }] as const;

class Walk {
  readonly clock = new VirtualClock();
  readonly sockets = new FakeSockets();
  readonly connection: Connection;
  readonly #random: () => number;
  readonly #way: string[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  readonly #tokens: ((answer: string | Error) => void)[] = [];
  #tell: ((hint: LifecycleHint) => void) | undefined;

  constructor(random: () => number) {
    this.#random = random;
    this.connection = createConnection({
      urls: ['ws://first', 'ws://second'],
      socket: this.sockets.factory,
      clock: this.clock,
      random,
      attemptsMax: 4,
      token: () =>
        new Promise((resolve, reject) => this.#tokens.push((answer) => (typeof answer === 'string' ? resolve(answer) : reject(answer)))),
      hello: (token) => `hello ${token}`,
      ...(random() < 0.5 ? { isWelcome: (message: unknown) => message === 'welcome' } : {}),
      ...(random() < 0.5 ? { acknowledge: () => 1 } : {}),
      heartbeat: { intervalMs: 1_000, ping: () => 'ping', isPong: (message) => message === 'pong' },
      queue: { countMax: 5 },
      receive: { countMax: 3 },
      lifecycle: (tell) => {
        this.#tell = tell;
        return () => {
          this.#tell = undefined;
        };
      },
    });
    this.#watch(this.connection.ready, this.connection.closed, this.connection.sink.done);
    void this.#read();
  }

  async act(): Promise<void> {
    const { connection, sockets, clock } = this;
    const pick = <T>(items: readonly T[]): T => items[Math.floor(this.#random() * items.length)]!;
    const live = sockets.live.length === 0 ? undefined : pick(sockets.live);
    const actions: Readonly<Record<string, (() => void | Promise<void>) | undefined>> = {
      time: () => clock.advance(pick([1, 100, 1_000, 30_000, 130_000])),
      sleep: () => clock.sleep(pick([3_000, 3_600_000, -3_600_000])),
      hint: () => this.#tell?.(pick(['wake', 'online', 'offline'])),
      ...(this.#tokens.length === 0
        ? {}
        : {
            token: () => this.#tokens.shift()!('token'),
            again: () => this.#tokens.shift()!('token'),
            noToken: () => this.#tokens.shift()!(new HoldfastError('UNAUTHENTICATED')),
          }),
      add: () => this.#watch(connection.sink.add('x')),
      flush: () => this.#watch(connection.flush({ timeoutMs: 500 })),
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      retryNow: () => connection.retryNow(),
      ...(live === undefined ? {} : this.#socketActions(live, pick)),
    };
    const name = pick(Object.keys(actions).filter((one) => one !== 'pause' || this.#random() < 0.3));
    this.#way.push(name);
    await actions[name]!();
    await settle();
    const used = sockets.live.filter(({ url, sent }) => url !== 'ws://first' || sent.length > 0);
    if (used.length > 1 || sockets.live.length > 2) this.#fail(`${sockets.live.length} live sockets`);
  }

  async end(): Promise<void> {
    this.#watch(this.connection.close({ drainMs: this.#random() < 0.5 ? 0 : 200 }));
    await this.clock.advance(200);
    await settle();
    const { timerCount } = this.clock;
    const { all, live } = this.sockets;
    if (this.#pending.size > 0) this.#fail(`${this.#pending.size} promises left`);
    if (timerCount + live.length > 0 || this.#tell !== undefined)
      this.#fail(`${timerCount} timers, ${live.length} sockets, or a listener left`);
    const before = this.connection.status.getSnapshot();
    for (const answer of this.#tokens) answer('late');
    for (const socket of all) if (!socket.isOver) socket.end();
    this.connection.retryNow();
    this.connection.resume();
    await settle();
    if (this.connection.status.getSnapshot() !== before || this.sockets.all.length !== all.length || this.clock.timerCount > 0)
      this.#fail('something after the end');
  }

  #socketActions(socket: FakeSocket, pick: <T>(items: readonly T[]) => T): Record<string, () => void> {
    const isOpen = socket.sent.length > 0;
    if (!isOpen) return { open: () => socket.open(), open2: () => socket.open(), refused: () => socket.end(pick(FAILURES)) };
    return {
      say: () => socket.say(pick(['x', 'pong', 'welcome'])),
      welcome: () => socket.say('welcome'),
      stir: () => socket.stir(),
      drain: () => socket.drain(),
      fill: () => {
        socket.bufferedBytes = 1_000_000;
      },
      lose: () => socket.end(pick(FAILURES)),
    };
  }

  #watch(...promises: readonly Promise<unknown>[]): void {
    for (const promise of promises) {
      this.#pending.add(promise);
      void promise.catch(() => {}).then(() => this.#pending.delete(promise));
    }
  }

  async #read(): Promise<void> {
    const reading = (async () => {
      for await (const message of this.connection.stream) if (message === 'never') break;
    })();
    this.#watch(reading);
    await reading;
  }

  #fail(message: string): never {
    throw new Error(`${message}\n  after: ${this.#way.join(', ')}`);
  }
}
