/**
 * The network: WebSockets between simulated processes. A connection can be refused, swallowed, slow, cut so that both
 * sides learn of it at different times, and half-open: cut so that one side or none ever learns. It implements the
 * client's and the server's socket ports, and knows nothing of what the frames say.
 */

import type { ClientSocket, SocketEnd, SocketEvents, SocketFactory } from '@holdfast/client';
import { SharedFrame, type Socket, type SocketListener } from '@holdfast/server';
import { utf8Length } from '@holdfast/wire';
import { Pipe, type PipeQuality } from './pipe.ts';
import type { Process } from './process.ts';
import type { Chance } from './random.ts';
import type { Scheduled, Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

/** A frame's own overhead: RFC 6455 section 5.2 with 16-bit lengths, bytes. */
const FRAME_HEADER_BYTES = 4;
/** How long `ws` waits for the answer to its close frame, ms. */
const CLOSE_TIMEOUT_MS = 30_000;

/** A connection that broke, or never came about. */
const LOST: SocketEnd = { code: 1006, reason: '', clean: false };

/** What a client's way to the server is like now. */
export interface Route {
  quality: PipeQuality;
  /** What happens to new connections. `swallowed`: no answer ever comes. */
  connects: 'accepted' | 'refused' | 'swallowed';
}

/** Who takes connections. */
export interface Door {
  readonly process: Process;
  accept(socket: Socket): void;
}

/** Whoever listens on the wire. */
export interface Tap {
  fromClient(link: string, frame: string | Uint8Array): void;
  /** What a client sent has arrived. */
  atServer(link: string, frame: string | Uint8Array): void;
  /** `bufferedBytes`: what waits before it. */
  fromServer(link: string, frame: string | Uint8Array, bufferedBytes: number): void;
  /** The server says goodbye. */
  serverCloses(link: string, code: number): void;
}

/** How connections end when somebody closes one. */
export interface Closing {
  /** How long a close frame is held up, ms. */
  delayMs: number;
  /** A reset instead: what is under way may be lost, and no code is said. */
  isReset: boolean;
}

/** One side of a connection. */
class End {
  readonly process: Process;
  readonly out: Pipe;
  peer!: End;
  onFrame: (frame: string | Uint8Array) => void = () => {};
  onClose: (code: number, reason: string) => void = () => {};
  #isClosing = false;
  #isOver = false;
  readonly #timeline: Timeline;
  readonly #closing: Closing;
  #timeout: Scheduled | undefined;

  constructor(process: Process, out: Pipe, timeline: Timeline, closing: Closing) {
    this.process = process;
    this.out = out;
    this.#timeline = timeline;
    this.#closing = closing;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  send(frame: string | Uint8Array): void {
    if (this.#isClosing || this.#isOver) return;
    const bytes = FRAME_HEADER_BYTES + (typeof frame === 'string' ? utf8Length(frame) : frame.length);
    const copy = typeof frame === 'string' ? frame : new Uint8Array(frame);
    this.out.send(bytes, () => this.peer.process.run(() => this.peer.#receive(copy)));
  }

  close(code: number, reason: string): void {
    if (this.#isClosing || this.#isOver) return;
    const { delayMs, isReset } = this.#closing;
    this.#isClosing = true;
    if (isReset) return void this.#timeline.after(0, () => this.process.run(() => this.drop(true)));
    if (delayMs === 0) this.#sayClose(code, reason);
    else this.#timeline.after(delayMs, () => !this.#isOver && this.#sayClose(code, reason));
    this.#timeout = this.#timeline.after(CLOSE_TIMEOUT_MS, () => this.process.run(() => this.drop(true)));
  }

  /** Lets go at once; the other side hears of a reset, if it can be reached. */
  drop(isTold: boolean): void {
    if (this.#isOver) return;
    const canReach = !this.out.isBroken;
    this.#finish();
    this.out.break(canReach ? () => this.peer.lose() : undefined);
    if (isTold) this.onClose(1006, '');
  }

  /** The connection turns out to be gone. */
  lose(): void {
    this.process.run(() => {
      if (this.#isOver) return;
      this.#finish();
      this.onClose(1006, '');
    });
  }

  /** The process died. */
  die(): void {
    this.#isOver = true;
  }

  #sayClose(code: number, reason: string): void {
    this.out.send(FRAME_HEADER_BYTES + utf8Length(reason), () => this.peer.process.run(() => this.peer.#receiveClose(code, reason)));
  }

  #receive(frame: string | Uint8Array): void {
    if (!this.#isOver) this.onFrame(frame);
  }

  #receiveClose(code: number, reason: string): void {
    if (this.#isOver) return;
    if (!this.#isClosing) this.#sayClose(code, reason);
    this.#isClosing = true;
    this.#finish();
    this.onClose(code, reason);
  }

  #finish(): void {
    this.#isOver = true;
    this.#timeout?.cancel();
  }
}

/** One connection, from the attempt on. */
export interface Link {
  readonly name: string;
  readonly client: Process;
  readonly server: Process;
  readonly isOver: boolean;
  /** Breaks both directions; a side learns of it after so many ms, or never. */
  cut(clientLearnsMs: number | undefined, serverLearnsMs: number | undefined): void;
}

class Connection implements Link {
  readonly name: string;
  readonly clientEnd: End;
  readonly serverEnd: End;
  readonly #timeline: Timeline;

  constructor(name: string, timeline: Timeline, clientEnd: End, serverEnd: End) {
    this.name = name;
    this.#timeline = timeline;
    this.clientEnd = clientEnd;
    this.serverEnd = serverEnd;
    clientEnd.peer = serverEnd;
    serverEnd.peer = clientEnd;
  }

  get client(): Process {
    return this.clientEnd.process;
  }

  get server(): Process {
    return this.serverEnd.process;
  }

  get isOver(): boolean {
    return this.clientEnd.isOver && this.serverEnd.isOver;
  }

  cut(clientLearnsMs: number | undefined, serverLearnsMs: number | undefined): void {
    this.clientEnd.out.break();
    this.serverEnd.out.break();
    if (clientLearnsMs !== undefined) this.#timeline.after(clientLearnsMs, () => this.clientEnd.lose());
    if (serverLearnsMs !== undefined) this.#timeline.after(serverLearnsMs, () => this.serverEnd.lose());
  }

  /** A process died: its side says nothing more. The other hears of it, unless the machine lost its power. */
  bury(process: Process, isSilent: boolean): void {
    for (const end of [this.clientEnd, this.serverEnd]) {
      if (end.process !== process || end.isOver) continue;
      const canReach = !end.out.isBroken && !isSilent;
      end.die();
      end.out.break(canReach ? () => end.peer.lose() : undefined);
    }
  }
}

export class Network {
  readonly #timeline: Timeline;
  readonly #chance: Chance;
  readonly #trace: Trace;
  readonly #connections = new Set<Connection>();
  /** Gets each frame before it is under way. */
  tap: Tap | undefined;
  /** May change at any time. */
  readonly closing: Closing = { delayMs: 0, isReset: false };
  #door: Door | undefined;
  #connectionCount = 0;

  constructor(timeline: Timeline, chance: Chance, trace: Trace) {
    this.#timeline = timeline;
    this.#chance = chance;
    this.#trace = trace;
  }

  /** Connections that at least one side still believes in. */
  get links(): readonly Link[] {
    for (const connection of this.#connections) if (connection.isOver) this.#connections.delete(connection);
    return [...this.#connections];
  }

  /** Who takes new connections; nobody: they are refused. */
  set door(door: Door | undefined) {
    this.#door = door;
  }

  /** A process died: its connections with it. `isSilent`: nobody is told, as when the machine loses its power. */
  bury(process: Process, isSilent: boolean): void {
    for (const connection of this.#connections) connection.bury(process, isSilent);
  }

  /** The client's socket port. */
  socketFactory(client: Process, route: Route): SocketFactory {
    return (_url, { protocols }, events) => this.#connect(client, route, protocols[0] ?? '', events);
  }

  #connect(client: Process, route: Route, protocol: string, events: SocketEvents): ClientSocket {
    const name = `link${++this.#connectionCount}`;
    const { connects } = route;
    const pipe = (): Pipe => new Pipe(this.#timeline, this.#chance, route);
    let end: End | undefined;
    let isAbandoned = false;
    const halfWayMs = (): number => route.quality.latencyMs + this.#chance.between(0, route.quality.jitterMs);
    const refuse = (): void => {
      this.#trace.line(client.name, `${name} refused`);
      client.run(() => {
        if (!isAbandoned) events.onClose(LOST);
      });
    };
    // TCP's handshake takes a round trip, the upgrade another.
    const knock = (): void => {
      const door = this.#door;
      if (isAbandoned || !client.isAlive) return;
      if (connects === 'refused' || door === undefined || !door.process.isAlive) return void this.#timeline.after(halfWayMs(), refuse);
      const clientEnd = (end = new End(client, pipe(), this.#timeline, this.closing));
      const serverEnd = new End(door.process, pipe(), this.#timeline, this.closing);
      this.#connections.add(new Connection(name, this.#timeline, clientEnd, serverEnd));
      clientEnd.onFrame = (frame) => events.onMessage(frame);
      clientEnd.onClose = (code, reason) => {
        this.#trace.line(client.name, `${name} closed ${code} ${reason}`);
        events.onClose({ code, reason, clean: code !== LOST.code });
      };
      // The upgrade's answer is the first thing in the server's direction.
      serverEnd.out.send(0, () =>
        client.run(() => {
          if (clientEnd.isOver) return;
          this.#trace.line(client.name, `${name} open`);
          events.onOpen(protocol);
        }),
      );
      door.process.run(() => door.accept(this.#serverSocket(serverEnd, name)));
    };
    this.#trace.line(client.name, `${name} ${connects === 'accepted' ? 'connects' : connects}`);
    if (connects !== 'swallowed') this.#timeline.after(3 * halfWayMs(), knock);
    return {
      get bufferedBytes() {
        return end?.out.bufferedBytes ?? 0;
      },
      // As a browser's, which most clients of a server are.
      pause: () => false,
      resume: () => {},
      send: (frame) => {
        this.#trace.line(client.name, `${name} > ${textOf(frame)}`);
        this.tap?.fromClient(name, frame);
        end!.send(frame);
      },
      close: (code = 1005, reason = '') => {
        if (end !== undefined) return end.close(code, reason);
        isAbandoned = true;
        this.#timeline.after(0, () => client.run(() => events.onClose(LOST)));
      },
      abandon: () => {
        isAbandoned = true;
        end?.drop(false);
      },
    };
  }

  #serverSocket(end: End, name: string): Socket {
    return {
      get bufferedBytes() {
        return end.out.bufferedBytes;
      },
      send: (given) => {
        const frame = given instanceof SharedFrame ? given.content : given;
        this.#trace.line(end.process.name, `${name} < ${textOf(frame)}`);
        this.tap?.fromServer(name, frame, end.out.bufferedBytes);
        end.send(frame);
      },
      close: (code, reason) => {
        this.tap?.serverCloses(name, code);
        end.close(code, reason);
      },
      terminate: () => end.drop(true),
      limitArrival: () => undefined,
      listen: (listener: SocketListener) => {
        end.onFrame = (frame) => {
          this.tap?.atServer(name, frame);
          listener.onFrame(frame);
        };
        end.out.onDrain = () => end.process.run(() => listener.onDrain());
        end.onClose = (code, reason) => {
          this.#trace.line(end.process.name, `${name} closed ${code} ${reason}`);
          listener.onClose(code, reason);
        };
      },
    };
  }
}

function textOf(frame: string | Uint8Array): string {
  return typeof frame === 'string'
    ? frame
    : `bytes ${Buffer.from(frame)
        .toString('latin1')
        .replaceAll(/[^ -~]/g, '.')}`;
}
