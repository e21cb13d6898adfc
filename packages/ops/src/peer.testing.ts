/** A client of a hub in memory: what it is sent is kept, and what it says is said at once. */

import { Endpoint, type Arrival, type EndpointOptions, type Hub, type Socket, type SocketListener } from '@holdfast/server';

export interface PeerOptions extends Partial<Omit<Arrival, 'endpoint'>> {
  readonly endpoint?: EndpointOptions;
}

export class Peer implements Socket {
  bufferedBytes = 0;
  readonly sent: string[] = [];
  closed: number | undefined;
  #listener: SocketListener | undefined;

  constructor(hub: Hub, { endpoint = {}, ...arrival }: PeerOptions = {}) {
    const base = { address: '192.0.2.1', headers: {}, url: '/', protocols: [], isProtocol: true };
    hub.accept(this, { ...base, ...arrival, endpoint: new Endpoint(endpoint) });
  }

  send(frame: string | Uint8Array): void {
    this.sent.push(typeof frame === 'string' ? frame : '(binary)');
  }

  close(code: number): void {
    this.closed ??= code;
  }

  terminate(): void {
    this.closed ??= 1006;
  }

  limitArrival(): void {}

  listen(listener: SocketListener): void {
    this.#listener = listener;
  }

  say(message: object): void {
    if (this.closed === undefined) this.#listener!.onFrame(JSON.stringify(message));
  }

  leave(code: number): void {
    this.#listener!.onClose(code, '');
  }
}

/** Everything that can happen without a timer has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => void setImmediate(resolve));
}
