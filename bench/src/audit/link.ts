/**
 * One client's way to the server: a TCP proxy on loopback with a port of its own, which can be cut. A cut resets both
 * sides, so neither end is asked and no closing frame is sent; then nobody gets through for a while. It knows nothing of
 * WebSockets.
 */

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The server behind the links. While it is down nobody is let through: no other program may answer in its place. */
export interface LinkTarget {
  readonly port: number;
  readonly isUp: boolean;
}

export class Link {
  readonly port: number;
  readonly #server: Server;
  readonly #target: LinkTarget;
  readonly #sockets = new Set<Socket>();
  #offlineTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** Closed by `close`. */
  static async open(target: LinkTarget): Promise<Link> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Link(server, target);
  }

  private constructor(server: Server, target: LinkTarget) {
    this.#server = server;
    this.#target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (near) => this.#accept(near));
  }

  /** Whether somebody is connected through it. */
  get isInUse(): boolean {
    return this.#sockets.size > 0;
  }

  /** Resets what goes through it, and everybody who comes within `offlineMs`. Another cut meanwhile begins that time anew. */
  cut(offlineMs: number): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    clearTimeout(this.#offlineTimer);
    this.#offlineTimer = setTimeout(() => (this.#offlineTimer = undefined), offlineMs);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#offlineTimer);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(near: Socket): void {
    if (this.#isClosed || this.#offlineTimer !== undefined || !this.#target.isUp) {
      near.on('error', () => {});
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port: this.#target.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    this.#pass(near, far);
    this.#pass(far, near);
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (chunk: Buffer) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('end', () => to.end());
    // An end without a goodbye is passed on as one: what is said by the error, its close says too.
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroySoon();
    });
  }
}
