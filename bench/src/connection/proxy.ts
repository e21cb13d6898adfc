/**
 * A link that can be spoilt: a TCP proxy on loopback that freezes, swallows, slows down or resets what goes through it, and
 * notes when connections arrive. It knows nothing of WebSockets.
 */

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** How often a slow link passes on what it may by then, and how much of its time a late step makes up for, ms. */
const STEP_MS = 20;
const CATCH_UP_MS = 1_000;

export class LinkProxy {
  readonly port: number;
  /** When each connection arrived, ms by `performance.now()`, in order. */
  readonly arrivalsMs: number[] = [];
  readonly #server: Server;
  readonly #pipes = new Set<Pipe>();
  #bytesPerSecond = Number.POSITIVE_INFINITY;

  /** A proxy in front of a port of this machine. Closed by `close`. */
  static async open(targetPort: number): Promise<LinkProxy> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new LinkProxy(server, targetPort);
  }

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (near) => {
      this.arrivalsMs.push(performance.now());
      const far = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
      const pipes = [new Pipe(near, far, () => this.#bytesPerSecond), new Pipe(far, near, () => this.#bytesPerSecond)];
      for (const pipe of pipes) {
        this.#pipes.add(pipe);
        pipe.from.once('close', () => this.#pipes.delete(pipe));
      }
    });
  }

  /** Nothing of the present connections moves any more; what is under way stays where it is. */
  freeze(): void {
    for (const pipe of this.#pipes) pipe.freeze();
  }

  /** What is sent on the present connections vanishes, and so does their end: a half-open link. New ones are sound. */
  swallow(): void {
    for (const pipe of this.#pipes) pipe.swallow();
  }

  /** Ends the present connections towards both sides with RST; what was under way is lost. */
  reset(): void {
    for (const pipe of this.#pipes) pipe.from.resetAndDestroy();
  }

  /** From now on so many bytes a second pass in each direction of each connection. */
  throttle(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  async close(): Promise<void> {
    for (const pipe of this.#pipes) pipe.from.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** One direction of one connection. */
class Pipe {
  readonly from: Socket;
  readonly #to: Socket;
  readonly #bytesPerSecond: () => number;
  #state: 'sound' | 'frozen' | 'swallowing' = 'sound';
  /** What waits for its turn on a slow link; reading goes on when it is empty. */
  #waiting: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  #steppedAtMs = 0;

  constructor(from: Socket, to: Socket, bytesPerSecond: () => number) {
    this.from = from;
    this.#to = to;
    this.#bytesPerSecond = bytesPerSecond;
    from.on('data', (chunk: Buffer) => this.#take(chunk));
    to.on('drain', () => this.#resume());
    from.on('end', () => {
      if (this.#state === 'sound') to.end();
    });
    // What an error says, its close says too.
    from.on('error', () => {});
    from.on('close', () => {
      clearInterval(this.#timer);
      if (this.#state !== 'swallowing') to.destroySoon();
    });
  }

  freeze(): void {
    this.#state = 'frozen';
    this.from.pause();
  }

  swallow(): void {
    this.#state = 'swallowing';
    this.#waiting = Buffer.alloc(0);
    this.from.resume();
  }

  #take(chunk: Buffer): void {
    if (this.#state === 'swallowing') return;
    if (this.#state === 'sound' && this.#timer === undefined && this.#bytesPerSecond() === Number.POSITIVE_INFINITY) {
      if (!this.#to.write(chunk)) this.from.pause();
      return;
    }
    this.#waiting = Buffer.concat([this.#waiting, chunk]);
    this.from.pause();
    if (this.#timer !== undefined) return;
    this.#steppedAtMs = performance.now();
    this.#timer = setInterval(() => this.#step(), STEP_MS);
  }

  #step(): void {
    if (this.#state !== 'sound') return;
    const now = performance.now();
    const bytes = Math.ceil((this.#bytesPerSecond() * Math.min(now - this.#steppedAtMs, CATCH_UP_MS)) / 1_000);
    this.#steppedAtMs = now;
    const part = this.#waiting.subarray(0, bytes);
    this.#waiting = this.#waiting.subarray(bytes);
    if (part.length > 0) this.#to.write(part);
    // Already when the rest is less than the next step may pass, so that none stays empty.
    if (this.#waiting.length < bytes) this.from.resume();
  }

  #resume(): void {
    if (this.#state === 'sound' && this.#waiting.length === 0) this.from.resume();
  }
}
