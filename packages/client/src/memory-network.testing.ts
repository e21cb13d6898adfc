/** Sockets in memory over a virtual clock: frames keep their order and take a delay; a cut loses what is under way. */

import type { Clock } from './clock.ts';
import type { SocketEnd, SocketEvents, SocketFactory } from './socket.ts';

const LOST: SocketEnd = { code: 1006, reason: '', clean: false };

/** The server's end of one socket, as the scripted server sees it. */
export interface ServerPort {
  onFrame: (frame: string | Uint8Array) => void;
  /** It is over, whoever ended it. */
  onGone: (code: number, reason: string) => void;
  open(): void;
  send(frame: string | Uint8Array): void;
  close(code: number, reason?: string): void;
}

/** The same in memory. */
export class ServerEnd implements ServerPort {
  readonly url: string;
  readonly protocols: readonly string[];
  onFrame: (frame: string | Uint8Array) => void = () => {};
  /** It is over, whoever ended it. */
  onGone: (code: number, reason: string) => void = () => {};
  /** As the server sees it. */
  isOpen = true;
  /** Frames under way arrive. */
  #isConnected = true;
  readonly #network: MemoryNetwork;
  readonly #client: SocketEvents;
  #toClientAtMs = 0;
  #toServerAtMs = 0;

  constructor(network: MemoryNetwork, url: string, protocols: readonly string[], client: SocketEvents) {
    this.#network = network;
    this.url = url;
    this.protocols = protocols;
    this.#client = client;
  }

  open(): void {
    this.#toClient(() => this.#client.onOpen(this.protocols[0] ?? ''));
  }

  send(frame: string | Uint8Array): void {
    if (this.isOpen) this.#toClient(() => this.#client.onMessage(frame));
  }

  /** A part of a frame arrives, which is no message yet. */
  sendPart(): void {
    if (this.isOpen) this.#toClient(() => this.#client.onActivity?.());
  }

  /** The server closes: what it sent before arrives first. */
  close(code: number, reason = ''): void {
    if (!this.isOpen) return;
    this.#toClient(() => this.#client.onClose({ code, reason, clean: true }));
    this.#gone(code, reason);
  }

  /** The network breaks: frames under way are lost on both sides. `isSilent`: the client does not notice. */
  cut(isSilent = false): void {
    this.#isConnected = false;
    this.#gone(1006, '');
    if (!isSilent) this.#network.clock.setTimeout(() => this.#client.onClose(LOST), 0);
  }

  /** From the client. */
  receive(frame: string | Uint8Array): void {
    this.#at('server', () => {
      if (this.isOpen) this.onFrame(frame);
    });
  }

  closedByClient(code: number, reason: string): void {
    this.#at('server', () => this.#gone(code, reason));
  }

  #gone(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#network.ends.delete(this);
    this.onGone(code, reason);
  }

  #toClient(deliver: () => void): void {
    this.#at('client', () => {
      if (this.#isConnected) deliver();
    });
  }

  #at(side: 'client' | 'server', deliver: () => void): void {
    const { clock } = this.#network;
    const due = clock.now() + this.#network.delayMs();
    if (side === 'client') this.#toClientAtMs = Math.max(this.#toClientAtMs, due);
    else this.#toServerAtMs = Math.max(this.#toServerAtMs, due);
    clock.setTimeout(deliver, (side === 'client' ? this.#toClientAtMs : this.#toServerAtMs) - clock.now());
  }
}

export class MemoryNetwork {
  readonly clock: Clock;
  readonly ends = new Set<ServerEnd>();
  /** How long a frame takes, asked for each. */
  delayMs: () => number = () => 1;
  /** What a new socket meets; by default nobody answers. */
  onConnect: (end: ServerEnd) => void = () => {};
  /** Sockets fail to open while set. */
  isUnreachable = false;
  connectCount = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  readonly socket: SocketFactory = (url, { protocols }, events) => {
    this.connectCount += 1;
    let isAbandoned = false;
    const end = new ServerEnd(this, url, protocols, {
      onOpen: (protocol) => isAbandoned || events.onOpen(protocol),
      onMessage: (frame) => isAbandoned || events.onMessage(frame),
      onActivity: () => isAbandoned || events.onActivity?.(),
      onClose: (end) => isAbandoned || events.onClose(end),
    });
    if (this.isUnreachable) {
      this.clock.setTimeout(() => isAbandoned || events.onClose(LOST), 1);
    } else {
      this.ends.add(end);
      this.clock.setTimeout(() => this.onConnect(end), this.delayMs());
    }
    return {
      bufferedBytes: 0,
      send: (frame) => end.receive(frame),
      pause: () => false,
      resume: () => {},
      close: (code = 1005, reason = '') => end.closedByClient(code, reason),
      abandon: () => {
        isAbandoned = true;
        end.closedByClient(1006, '');
      },
    };
  };

  /** Breaks every socket. */
  cut(isSilent = false): void {
    for (const end of this.ends) end.cut(isSilent);
  }
}
