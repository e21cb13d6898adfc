/**
 * One accepted socket: its phases, its heartbeat, its sending. Frames go through the wire's session machine; what they
 * ask is carried out by `operations.ts`. A connection whose first frame is no hello, on a path with a plain handler,
 * becomes a plain session (PROTOCOL.md HF-2.4).
 */

import {
  CLOSE_CODES,
  closeReason,
  encodeServerMessage,
  errorMessage,
  HoldfastError,
  isHelloFrame,
  ServerSession,
  type ClientMessage,
  type EntryMessage,
  type Hello,
  type Limits,
  type ServerMessage,
} from '@holdfast/wire';
import type { Clock, Timer } from './clock.ts';
import type { Endpoint } from './endpoint.ts';
import { Operations } from './operations.ts';
import { PlainSession } from './plain-session.ts';
import { isSubject, type Credentials, type Identity } from './rights.ts';
import type { Services } from './services.ts';
import type { Socket, SocketListener } from './socket.ts';
import type { Outlet } from './subscription.ts';

/** Frames kept while the credentials are being examined (HF-3.7). */
const HELD_FRAMES_MAX = 64;
/** HF-8.2. */
const SILENT_BEATS_MAX = 3;
/**
 * Cursors, reads and calls stop at `queueBytesMax`; what goes on is small and is asked for by the client itself. Who asks
 * for this many times as much without ever reading is not slow but hostile.
 */
const QUEUES_MAX = 8;

/** What is known of a connection before its first frame. */
export interface Arrival {
  readonly endpoint: Endpoint;
  readonly address: Credentials['address'];
  readonly headers: Credentials['headers'];
  readonly url: Credentials['url'];
  readonly protocols: Credentials['protocols'];
  /** Whether the subprotocol `holdfast.v1` was offered. */
  readonly isProtocol: boolean;
  /** Why it may not stay, such as a foreign origin: it is told, and closed (HF-2.3). */
  readonly refusal?: HoldfastError;
}

/** What a connection needs of its hub. */
export interface ConnectionHost {
  readonly services: Services;
  readonly heartbeatMs: number;
  readonly helloTimeoutMs: number;
  /** Why the hub is going away, once it is (HF-8.3). */
  readonly goingAway: string | undefined;
  /** HF-3.4. */
  spreadMs(): number;
  sessionName(): string;
  /** The number of a `hello` in order of arrival. */
  helloNumber(): number;
  /**
   * HF-3.5: closes an older connection of the same (subject, client), and remembers this one. False if a newer one is
   * there already.
   */
  fence(connection: Connection): boolean;
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
  #helloNumber = 0;
  #operations: Operations | undefined;
  #plain: PlainSession | undefined;
  #held: ClientMessage[] = [];
  #timer: Timer | undefined;
  #beatDueAt = 0;
  #heardAt: number;
  #sentAt: number;
  #isClosed = false;
  #onReady: (() => void)[] = [];

  constructor(host: ConnectionHost, socket: Socket, arrival: Arrival) {
    this.#host = host;
    this.#socket = socket;
    this.#arrival = arrival;
    this.endpoint = arrival.endpoint;
    this.session = host.sessionName();
    this.#machine = new ServerSession({ limits: this.#limits, topicOf: (number) => this.#operations?.topicOf(number) });
    this.#heardAt = this.#sentAt = this.#clock.now();
    this.#timer = this.#clock.setTimeout(() => this.#helloTimeout(), host.helloTimeoutMs);
    socket.listen(this);
  }

  /** Who it is; `undefined` before the credentials were examined. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  get client(): string {
    return this.#client;
  }

  /** The number of its `hello`. */
  get helloNumber(): number {
    return this.#helloNumber;
  }

  /** Whether cursors may hand over more (HF-7.2). */
  get isReady(): boolean {
    return !this.#isClosed && this.#socket.bufferedBytes < this.#limits.queueBytesMax;
  }

  /** Resolves when more may be handed over, or when the connection is gone. */
  async whenReady(): Promise<void> {
    while (!this.#isClosed && !this.isReady) await new Promise<void>((resolve) => this.#onReady.push(resolve));
  }

  send(frame: string | Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#socket.bufferedBytes > this.#limits.queueBytesMax * QUEUES_MAX) return this.close(CLOSE_CODES.OVERLOADED.code, 'OVERLOADED');
    this.#sentAt = this.#clock.now();
    this.#socket.send(frame);
  }

  sendMessage(message: Exclude<ServerMessage, EntryMessage>): void {
    this.send(encodeServerMessage(message));
  }

  /** Explains, then closes. */
  end(error: HoldfastError, close: { readonly code: number }): void {
    this.sendMessage(errorMessage(error));
    this.close(close.code, error.code);
  }

  /** HF-8.3. A plain client is not bothered with it. */
  goaway(reason: string): void {
    if (this.#operations !== undefined) this.sendMessage({ type: 'goaway', reason, spreadMs: this.#host.spreadMs() });
  }

  /** `reason` is cut to what a close frame can hold. */
  close(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#socket.close(code, closeReason(reason));
    this.#release();
  }

  /** HF-5.10: asks the rights of every subscription again. */
  async recheck(): Promise<void> {
    await this.#operations?.recheck();
    await this.#plain?.recheck();
  }

  /**
   * Examines a token in the light of the upgrade request, and keeps the first identity that it gives. Rejects with
   * `UNAUTHENTICATED`, or with what the hook threw.
   */
  async authenticate(token: string | undefined): Promise<Identity> {
    const { address, headers, url, protocols } = this.#arrival;
    const credentials: Credentials = { token, client: this.#client, address, headers, url, protocols };
    const identity = (await this.endpoint.authenticate(credentials)) as Partial<Identity> | undefined;
    if (!isSubject(identity?.subject)) throw new TypeError('authenticate must give an identity with a subject of 1 to 256 characters');
    const known = identity as Identity;
    this.#identity ??= known;
    return known;
  }

  onFrame(frame: string | Uint8Array): void {
    if (this.#isClosed) return;
    this.#heardAt = this.#clock.now();
    try {
      this.#take(frame);
    } catch (error) {
      // A fault of this program. It ends the connection on which it shows, not the process, and not so that it comes back at once.
      this.end(this.#host.services.refusalOf(error), CLOSE_CODES.OVERLOADED);
    }
  }

  onDrain(): void {
    if (this.#isClosed) return;
    this.#operations?.resume();
    this.#plain?.resume();
    this.#wakeReady();
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

  #take(frame: string | Uint8Array): void {
    if (this.#plain !== undefined) return this.#plain.receive(frame);
    const mayBePlain = this.#machine.phase === 'greeting' && !this.#arrival.isProtocol && this.endpoint.plain !== undefined;
    if (mayBePlain && !isHelloFrame(frame)) return this.#becomePlain(frame);
    const received = this.#machine.receive(frame);
    if (received.kind === 'ignored') return;
    if (received.kind === 'violation') {
      this.sendMessage(received.error);
      if (received.close !== undefined) this.close(received.close.code, received.close.reason);
      return;
    }
    const { message } = received;
    if (message.type === 'hello') void this.#greet(message);
    else if (this.#operations === undefined) this.#hold(message);
    else this.#operations.carryOut(message);
  }

  async #greet(hello: Hello): Promise<void> {
    this.#client = hello.client;
    this.#helloNumber = this.#host.helloNumber();
    try {
      const identity = await this.authenticate(hello.token);
      if (!this.#isClosed) this.#welcome(hello, identity);
    } catch (error) {
      this.#refuseIdentity(error);
    }
  }

  #welcome({ subscribe = [] }: Hello, identity: Identity): void {
    if (!this.#host.fence(this)) return this.close(CLOSE_CODES.FENCED.code, 'FENCED');
    const { services, heartbeatMs, goingAway } = this.#host;
    const { session } = this;
    const { subject } = identity;
    const limits = this.#limits;
    this.sendMessage({ type: 'welcome', session, subject, heartbeatMs, spreadMs: this.#host.spreadMs(), time: this.#clock.now(), limits });
    this.#machine.welcomed();
    this.#scheduleBeat();
    const operations = (this.#operations = new Operations(services, this, identity));
    if (goingAway !== undefined) this.goaway(goingAway);
    operations.begin(subscribe);
    for (const message of this.#held.splice(0)) operations.carryOut(message);
  }

  #refuseIdentity(error: unknown): void {
    const refusal = this.#host.services.refusalOf(error);
    if (refusal.code === 'UNAUTHENTICATED') return this.end(refusal, CLOSE_CODES.UNAUTHENTICATED);
    this.end(refusal, refusal.retryable ? CLOSE_CODES.OVERLOADED : CLOSE_CODES.REFUSED);
  }

  #hold(message: ClientMessage): void {
    if (this.#held.length < HELD_FRAMES_MAX) return void this.#held.push(message);
    this.end(new HoldfastError('TOO_MANY_IN_FLIGHT', 'too many frames before "welcome"'), CLOSE_CODES.OVERLOADED);
  }

  #becomePlain(frame: string | Uint8Array): void {
    this.#stopTimer();
    this.#client = `plain-${this.session}`;
    this.#plain = new PlainSession(this.#host.services, this, this.endpoint.plain!);
    this.#plain.receive(frame);
  }

  #helloTimeout(): void {
    this.#timer = undefined;
    // A client that could be a plain one may keep silent for as long as it likes.
    if (this.#machine.phase === 'greeting' && this.endpoint.plain !== undefined && !this.#arrival.isProtocol) return;
    if (this.#machine.phase === 'greeting') return this.end(new HoldfastError('HELLO_TIMEOUT'), CLOSE_CODES.HELLO_TIMEOUT);
    // The hello came, and the answer did not: whoever examines credentials is too slow, and must not be asked faster.
    this.end(new HoldfastError('OVERLOADED', 'the credentials could not be examined in time'), CLOSE_CODES.OVERLOADED);
  }

  /** HF-8.1: a `ping` when nothing was sent for `heartbeatMs`, and never later. */
  #scheduleBeat(): void {
    this.#stopTimer();
    if (this.#isClosed) return;
    const { heartbeatMs } = this.#host;
    const now = this.#clock.now();
    const delayMs = Math.min(heartbeatMs, Math.max(1, this.#sentAt + heartbeatMs - now));
    this.#beatDueAt = now + delayMs;
    this.#timer = this.#clock.setTimeout(() => this.#beat(), delayMs);
  }

  #beat(): void {
    this.#timer = undefined;
    const { heartbeatMs } = this.#host;
    const now = this.#clock.now();
    // A beat that is late by a whole beat tells of this process (it was suspended, or its clock set), not of the client.
    if (now - this.#beatDueAt > heartbeatMs || now < this.#heardAt) this.#heardAt = now;
    if (now - this.#heardAt >= SILENT_BEATS_MAX * heartbeatMs)
      return this.end(new HoldfastError('HEARTBEAT_LOST'), CLOSE_CODES.HEARTBEAT_LOST);
    if (now - this.#sentAt >= heartbeatMs || now < this.#sentAt) this.sendMessage({ type: 'ping' });
    this.#scheduleBeat();
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wakeReady(): void {
    for (const resolve of this.#onReady.splice(0)) resolve();
  }

  #release(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#machine.close();
    this.#stopTimer();
    this.#operations?.close();
    this.#plain?.ended();
    this.#held = [];
    this.#wakeReady();
    this.#host.closed(this);
  }
}
