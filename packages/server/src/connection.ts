/**
 * One accepted socket: its phases, its heartbeat, its sending. Frames go through the wire's session machine; what they
 * ask is carried out by `operations.ts`. A connection whose first frame is no hello, on a path with a plain handler,
 * becomes a plain session (PROTOCOL.md HF-2.4).
 */

import { CLOSE_CODES, encodeServerMessage, errorMessage, HoldfastError, ServerSession, type ClientMessage, type EntryMessage, type Hello, type Limits, type ServerMessage } from '@holdfast/wire';
import type { Clock, Timer } from './clock.ts';
import type { Endpoint } from './endpoint.ts';
import { Operations } from './operations.ts';
import { PlainSession } from './plain-session.ts';
import type { Credentials, Identity } from './rights.ts';
import type { Services } from './services.ts';
import type { Socket, SocketListener } from './socket.ts';
import type { Outlet } from './subscription.ts';

/** Frames kept while the credentials are being examined (HF-3.7). */
const HELD_FRAMES_MAX = 64;
/** HF-8.2. */
const SILENT_BEATS_MAX = 3;

/** What is known of a connection before its first frame. */
export interface Arrival {
  readonly endpoint: Endpoint;
  /** The peer's address. */
  readonly address: string;
  /** Headers of the upgrade, lower-case names. */
  readonly headers: Credentials['headers'];
  /** Whether the subprotocol `holdfast.v1` was offered. */
  readonly isProtocol: boolean;
}

/** What a connection needs of its hub. */
export interface ConnectionHost {
  readonly services: Services;
  readonly heartbeatMs: number;
  readonly helloTimeoutMs: number;
  /** HF-3.4. */
  spreadMs(): number;
  sessionName(): string;
  /** HF-3.5: closes an older connection of the same (subject, client), and remembers this one. */
  fence(connection: Connection): void;
  closed(connection: Connection): void;
}

export class Connection implements Outlet, SocketListener {
  readonly endpoint: Endpoint;
  readonly session: string;
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #arrival: Arrival;
  readonly #machine: ServerSession;
  #identity: Identity | undefined;
  #client = '';
  #operations: Operations | undefined;
  #plain: PlainSession | undefined;
  #held: ClientMessage[] = [];
  #timer: Timer | undefined;
  #heardAt: number;
  #hasSent = false;
  #isClosed = false;

  constructor(host: ConnectionHost, socket: Socket, arrival: Arrival) {
    this.#host = host;
    this.#socket = socket;
    this.#arrival = arrival;
    this.endpoint = arrival.endpoint;
    this.session = host.sessionName();
    this.#machine = new ServerSession({ limits: this.#limits, topicOf: (number) => host.services.topicOf(number) });
    this.#heardAt = this.#clock.now();
    this.#timer = this.#clock.setTimeout(() => this.#helloTimeout(), host.helloTimeoutMs);
    socket.listen(this);
  }

  /** `undefined` before the welcome. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  get client(): string {
    return this.#client;
  }

  /** Whether cursors may hand over more (HF-7.2). */
  get isReady(): boolean {
    return !this.#isClosed && this.#socket.bufferedBytes < this.#limits.queueBytesMax;
  }

  send(frame: string | Uint8Array): void {
    if (this.#isClosed) return;
    this.#hasSent = true;
    this.#socket.send(frame);
  }

  sendMessage(message: Exclude<ServerMessage, EntryMessage>): void {
    this.send(encodeServerMessage(message));
  }

  /** Explains, then closes. */
  end(error: HoldfastError, close: { readonly code: number; readonly reason?: string }): void {
    this.sendMessage(errorMessage(error));
    this.close(close.code, close.reason ?? error.code);
  }

  /** HF-8.3. A plain client is not bothered with it. */
  goaway(reason: string): void {
    if (this.#operations !== undefined) this.sendMessage({ type: 'goaway', reason, spreadMs: this.#host.spreadMs() });
  }

  close(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#socket.close(code, reason);
    this.#release();
  }

  /** HF-5.10: asks the rights of every subscription again. */
  async recheck(): Promise<void> {
    await this.#operations?.recheck();
  }

  onFrame(frame: string | Uint8Array): void {
    if (this.#isClosed) return;
    this.#heardAt = this.#clock.now();
    if (this.#plain !== undefined) return this.#plain.receive(frame);
    if (this.#machine.phase === 'greeting' && !this.#arrival.isProtocol && this.endpoint.plain !== undefined && !isHello(frame)) return this.#becomePlain(frame);
    const received = this.#machine.receive(frame);
    if (received.kind === 'violation') {
      this.sendMessage(received.error);
      if (received.close !== undefined) this.close(received.close.code, received.close.reason);
      return;
    }
    if (received.kind === 'ignored') return;
    const { message } = received;
    if (message.type === 'hello') void this.#welcome(message);
    else if (this.#operations === undefined) this.#hold(message);
    else this.#operations.carryOut(message);
  }

  onDrain(): void {
    this.#operations?.resume();
    this.#plain?.resume();
  }

  onClose(): void {
    this.#release();
  }

  get #clock(): Clock {
    return this.#host.services.clock;
  }

  get #limits(): Limits {
    return this.#host.services.limits;
  }

  async #welcome(hello: Hello): Promise<void> {
    try {
      this.#client = hello.client;
      this.#identity = await this.authenticate(hello.token);
    } catch (error) {
      return this.#refuseIdentity(error);
    }
    if (this.#isClosed) return;
    this.#host.fence(this);
    const { heartbeatMs } = this.#host;
    this.sendMessage({ type: 'welcome', session: this.session, subject: this.#identity.subject, heartbeatMs, spreadMs: this.#host.spreadMs(), time: this.#clock.now(), limits: this.#limits });
    this.#machine.welcomed();
    this.#beginHeartbeat();
    const operations = (this.#operations = new Operations(this.#host.services, this));
    for (const request of hello.subscribe ?? []) operations.carryOut({ type: 'subscribe', ...request });
    for (const message of this.#held.splice(0)) operations.carryOut(message);
  }

  /** Examines a token in the light of the upgrade request. Rejects with `UNAUTHENTICATED`, or with what the hook threw. */
  async authenticate(token: string | undefined): Promise<Identity> {
    const { address, headers } = this.#arrival;
    return this.endpoint.authenticate({ token, client: this.#client, address, headers });
  }

  #refuseIdentity(error: unknown): void {
    if (error instanceof HoldfastError && error.code === 'UNAUTHENTICATED') return this.end(error, CLOSE_CODES.UNAUTHENTICATED);
    if (error instanceof HoldfastError && !error.retryable) return this.end(error, CLOSE_CODES.REFUSED);
    this.end(this.#host.services.refusalOf(error), CLOSE_CODES.OVERLOADED);
  }

  #hold(message: ClientMessage): void {
    if (this.#held.length >= HELD_FRAMES_MAX) return this.end(new HoldfastError('TOO_MANY_IN_FLIGHT', 'too many frames before "welcome"'), CLOSE_CODES.OVERLOADED);
    this.#held.push(message);
  }

  #becomePlain(frame: string | Uint8Array): void {
    this.#beginHeartbeat();
    this.#client = `plain-${this.session}`;
    this.#plain = new PlainSession(this.#host.services, this, this.endpoint.plain!);
    this.#plain.receive(frame);
  }

  #helloTimeout(): void {
    if (this.endpoint.plain !== undefined && !this.#arrival.isProtocol) return this.#beginHeartbeat();
    this.end(new HoldfastError('HELLO_TIMEOUT'), CLOSE_CODES.HELLO_TIMEOUT);
  }

  #beginHeartbeat(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#isClosed ? undefined : this.#clock.setTimeout(() => this.#beat(), this.#host.heartbeatMs);
  }

  #beat(): void {
    const isProtocol = this.#operations !== undefined;
    const silenceMs = this.#clock.now() - this.#heardAt;
    // A plain client has nothing that it must answer, so its silence means nothing.
    if (isProtocol && silenceMs > SILENT_BEATS_MAX * this.#host.heartbeatMs) return this.end(new HoldfastError('HEARTBEAT_LOST'), CLOSE_CODES.HEARTBEAT_LOST);
    if (isProtocol && !this.#hasSent) this.sendMessage({ type: 'ping' });
    this.#hasSent = false;
    this.#beginHeartbeat();
  }

  #release(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#machine.close();
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#operations?.close();
    this.#plain?.ended();
    this.#held = [];
    this.#host.closed(this);
  }
}

/** Whether a first frame is meant for the protocol. */
function isHello(frame: string | Uint8Array): boolean {
  return typeof frame === 'string' && /^\s*\{/.test(frame) && /"type"\s*:\s*"hello"/.test(frame.slice(0, 4_096));
}
