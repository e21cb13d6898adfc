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
  isErrorCode,
  isHelloFrame,
  ServerSession,
  type ClientMessage,
  type EntryMessage,
  type Hello,
  type Limits,
  type ServerMessage,
} from '@holdfast/wire';
import type { Account } from './accounts.ts';
import type { Charge } from './allowance.ts';
import type { Clock, Timer } from './clock.ts';
import type { Endpoint } from './endpoint.ts';
import type { ConnectionFacts, HubEvent } from './events.ts';
import { Expiry } from './expiry.ts';
import { Meter, type MeterHost } from './meter.ts';
import type { LimitName } from './node-limits.ts';
import { Operations } from './operations.ts';
import { PlainSession } from './plain-session.ts';
import { isCredentialRefusal, isSubject, type Credentials, type Identity } from './rights.ts';
import type { Services } from './services.ts';
import { contentOf, type Frame, type SharedRun } from './shared-frame.ts';
import type { Socket, SocketListener } from './socket.ts';

/** Frames kept while the credentials are being examined (HF-3.7). */
const HELD_FRAMES_MAX = 64;
/** RFC 6455 section 7.4.1: the socket refused what came. */
const FRAME_TOO_LARGE = 1009;
/** HF-8.2. */
const SILENT_BEATS_MAX = 3;
/**
 * Cursors, reads and calls stop at `queueBytesMax`; what goes on is small and is asked for by the client itself. Who asks
 * for this many times as much without ever reading is not slow but hostile.
 */
const QUEUES_MAX = 8;
/** And however small that is, there is room for the answers of a turn. */
const QUEUE_BYTES_MIN = 4_096;

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
  /** Counts it for its subject. `undefined` if there are too many of that subject. */
  enterSubject(subject: string): Account | undefined;
  /** It is known who it is. */
  welcomed(connection: Connection): void;
  event(event: HubEvent): void;
  closed(connection: Connection, end: { readonly code: number; readonly reason: string }): void;
}

export class Connection implements SocketListener, MeterHost {
  readonly endpoint: Endpoint;
  readonly session: string;
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #arrival: Arrival;
  readonly #machine: ServerSession;
  readonly #meter: Meter;
  /** Only for credentials that end. */
  #expiry: Expiry | undefined;
  readonly #openedAtMs: number;
  #identity: Identity | undefined;
  #client = '';
  #helloNumber = 0;
  #operations: Operations | undefined;
  #plain: PlainSession | undefined;
  /** What came while the credentials were being examined. */
  #held: { readonly message: ClientMessage; readonly bytes: number }[] | undefined;
  #timer: Timer | undefined;
  #heardAt: number;
  /** No later than when something was sent last, and whether something was since it was looked at. */
  #sentAt: number;
  #hasSent = false;
  #lookedAt: number;
  /** As announced to this client last. */
  #toldSpreadMs = 0;
  #isClosed = false;
  #isHeldBack = false;
  #onReady: (() => void)[] | undefined;

  /** `address`: the account that its address was counted in. */
  constructor(host: ConnectionHost, socket: Socket, arrival: Arrival, address: Account) {
    const { clock, nodeLimits } = host.services;
    this.#host = host;
    this.#socket = socket;
    this.#arrival = arrival;
    this.endpoint = arrival.endpoint;
    this.session = host.sessionName();
    this.#meter = new Meter(this, address);
    this.#openedAtMs = clock.now();
    this.#machine = new ServerSession({ limits: this.#limits, topicOf: (number) => this.#operations?.topicOf(number) });
    this.#heardAt = this.#sentAt = this.#lookedAt = this.#clock.now();
    this.#timer = this.#clock.setTimeout(() => this.#helloTimeout(), nodeLimits.helloTimeoutMs);
    socket.limitArrival(nodeLimits.helloBytesMax);
    socket.listen(this);
  }

  get services(): Services {
    return this.#host.services;
  }

  /** Who it is; `undefined` before the credentials were examined. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  get client(): string {
    return this.#client;
  }

  /** The account of its subject, once that is known. */
  get subjectAccount(): Account | undefined {
    return this.#meter.subject;
  }

  get addressAccount(): Account {
    return this.#meter.address;
  }

  /** Which it is, for the operator. */
  get facts(): ConnectionFacts {
    const { address, url } = this.#arrival;
    const query = url.indexOf('?');
    const path = query === -1 ? url : url.slice(0, query);
    const who = this.#identity === undefined ? {} : { subject: this.#identity.subject, client: this.#client };
    return { session: this.session, address, path, ...who };
  }

  get subscriptionCount(): number {
    return this.#operations?.subscriptionCount ?? this.#plain?.followingCount ?? 0;
  }

  /** The number of its `hello`. */
  get helloNumber(): number {
    return this.#helloNumber;
  }

  /** Whether cursors may hand over more (HF-7.2). */
  get isReady(): boolean {
    if (this.#isClosed) return false;
    if (this.#socket.bufferedBytes < this.#limits.queueBytesMax) return true;
    // Whoever was told so waits for the drain.
    this.#isHeldBack = true;
    return false;
  }

  /** Resolves when more may be handed over, or when the connection is gone. */
  async whenReady(): Promise<void> {
    while (!this.#isClosed && !this.isReady) await new Promise<void>((resolve) => (this.#onReady ??= []).push(resolve));
  }

  send(frame: Frame): void {
    if (this.#isClosed) return;
    if (this.#socket.bufferedBytes > Math.max(this.#limits.queueBytesMax, QUEUE_BYTES_MIN) * QUEUES_MAX)
      return this.close(CLOSE_CODES.OVERLOADED.code, 'OVERLOADED');
    this.#hasSent = true;
    const { counters } = this.#host.services;
    counters.framesSent += 1;
    counters.bytesSent += contentOf(frame).length;
    this.#socket.send(frame);
  }

  /** Sends all of it, if that leaves no more than `queueBytesMax` buffered (HF-7.2). */
  sendRun(run: SharedRun): boolean {
    if (this.#isClosed || this.#socket.bufferedBytes + run.bytes >= this.#limits.queueBytesMax) return false;
    this.#hasSent = true;
    const { counters } = this.#host.services;
    counters.framesSent += run.frames.length;
    counters.bytesSent += run.bytes;
    if (this.#socket.sendRun !== undefined) this.#socket.sendRun(run);
    else for (const frame of run.frames) this.#socket.send(frame);
    return true;
  }

  sendMessage(message: Exclude<ServerMessage, EntryMessage>): void {
    if (message.type === 'error' && isErrorCode(message.code)) this.#host.services.counters.countError(message.code);
    this.send(encodeServerMessage(message));
  }

  /** Explains, then closes. */
  end(error: HoldfastError, close: { readonly code: number }): void {
    if (this.#isClosed) return;
    if (this.#plain === undefined) this.sendMessage(errorMessage(error));
    else this.#plain.explain(error);
    this.close(close.code, error.code);
  }

  /** Ends it for a refusal that concerns all of it, with the close code that goes with that. */
  refuse(error: HoldfastError): void {
    if (this.#isClosed) return;
    const { code, message } = error;
    this.#host.event({ type: 'refused', code, message, action: 'connect', ...this.facts });
    this.end(error, closeFor(error));
  }

  /** HF-8.3. A plain client is not bothered with it. */
  goaway(reason: string, alternate?: string): void {
    const optional = alternate === undefined ? {} : { alternate };
    if (this.#operations !== undefined) this.sendMessage({ type: 'goaway', reason, spreadMs: this.#host.spreadMs(), ...optional });
  }

  /** `reason` is cut to what a close frame can hold. */
  close(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#socket.close(code, closeReason(reason));
    this.#release(code, reason);
  }

  /** HF-5.10: asks the rights of every subscription again. */
  async recheck(): Promise<void> {
    await this.#operations?.recheck();
    await this.#plain?.recheck();
  }

  /**
   * Examines a token in the light of the upgrade request. Rejects with `UNAUTHENTICATED`, `TOKEN_EXPIRED`, or with what the
   * hook threw; nothing has changed then.
   */
  async authenticate(token: string | undefined): Promise<Identity> {
    const { address, headers, url, protocols } = this.#arrival;
    const credentials: Credentials = { token, client: this.#client, address, headers, url, protocols };
    const identity = (await this.endpoint.authenticate(credentials)) as Partial<Identity> | undefined;
    if (!isSubject(identity?.subject)) throw new TypeError('authenticate must give an identity with a subject of 1 to 256 characters');
    const known = identity as Identity;
    const { expiresAtMs } = known;
    if (expiresAtMs !== undefined && expiresAtMs <= this.#clock.now()) throw new HoldfastError('TOKEN_EXPIRED');
    return known;
  }

  /**
   * From now on the connection is this identity's. Throws `TOO_MANY_CONNECTIONS`. Nothing arrives unasked any more, so the
   * bound on it is lifted.
   */
  settle(identity: Identity): void {
    if (this.#meter.subject === undefined) {
      const account = this.#host.enterSubject(identity.subject);
      if (account === undefined) {
        this.#meter.reached('subjectConnectionsMax');
        const message = `"${identity.subject}" has as many connections as it may (limits.subjectConnectionsMax)`;
        throw new HoldfastError('TOO_MANY_CONNECTIONS', message);
      }
      this.#meter.subject = account;
      this.#socket.limitArrival(undefined);
    }
    this.renew(identity);
  }

  /** New credentials of the same subject. */
  renew(identity: Identity): void {
    this.#identity = identity;
    const { expiresAtMs } = identity;
    if (expiresAtMs !== undefined) this.#expiry ??= this.#createExpiry();
    this.#expiry?.set(expiresAtMs);
  }

  /** Takes what a frame costs, or says why it is refused. Closes a connection that goes on against refusals. */
  charge(charge: Charge): HoldfastError | undefined {
    const refusal = this.#meter.charge(charge);
    if (refusal !== undefined && this.#meter.isFlood()) this.end(refusal, CLOSE_CODES.OVERLOADED);
    return refusal;
  }

  /** A limit was reached. */
  limited(limit: LimitName): void {
    this.#meter.reached(limit);
  }

  onFrame(frame: string | Uint8Array): void {
    if (this.#isClosed) return;
    this.#heardAt = this.#clock.now();
    const { counters } = this.#host.services;
    counters.framesReceived += 1;
    counters.bytesReceived += frame.length;
    try {
      this.#take(frame);
    } catch (error) {
      // A fault of this program. It ends the connection on which it shows, not the process, and not so that it comes back at once.
      this.end(this.#host.services.refusalOf(error), CLOSE_CODES.OVERLOADED);
    }
  }

  /** Answered already, and so counted alone: who floods with them is closed as who goes on against refusals. */
  onControl(bytes: number): void {
    if (!this.#isClosed) void this.charge({ Requests: 1, Bytes: bytes });
  }

  onDrain(): void {
    if (this.#isClosed || !this.#isHeldBack) return;
    this.#isHeldBack = false;
    this.#operations?.resume();
    this.#plain?.resume();
    this.#wakeReady();
  }

  onClose(code: number, reason: string): void {
    if (code === FRAME_TOO_LARGE) this.limited(reason === 'TOO_LARGE' ? 'helloBytesMax' : 'frameBytesMax');
    this.#release(code, reason);
  }

  get #clock(): Clock {
    return this.#host.services.clock;
  }

  get #limits(): Limits {
    return this.#host.services.limits;
  }

  #take(frame: string | Uint8Array): void {
    if (this.#plain !== undefined) {
      const refusal = this.charge({ Requests: 1, Bytes: frame.length });
      return refusal === undefined ? this.#plain.receive(frame) : this.#plain.explain(refusal);
    }
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
    if (message.type === 'hello') void this.#greet(message, frame.length);
    else if (this.#operations === undefined) this.#hold(message, frame.length);
    else this.#operations.carryOut(message, frame.length);
  }

  async #greet(hello: Hello, bytes: number): Promise<void> {
    this.#client = hello.client;
    this.#helloNumber = this.#host.helloNumber();
    try {
      const identity = await this.authenticate(hello.token);
      if (!this.#isClosed) this.#welcome(hello, bytes, identity);
    } catch (error) {
      this.refuse(this.#host.services.refusalOf(error));
    }
  }

  #welcome({ subscribe = [] }: Hello, bytes: number, identity: Identity): void {
    this.#identity = identity;
    if (!this.#host.fence(this)) return this.close(CLOSE_CODES.FENCED.code, 'FENCED');
    this.settle(identity);
    this.#meter.takeShared({ Bytes: bytes, Subscribes: subscribe.length });
    const { services, heartbeatMs, goingAway } = this.#host;
    const { session } = this;
    const { subject, expiresAtMs } = identity;
    const limits = this.#limits;
    const expiry = expiresAtMs === undefined ? {} : { expiresAt: expiresAtMs };
    const [spreadMs, time] = [this.#host.spreadMs(), this.#clock.now()];
    this.#toldSpreadMs = spreadMs;
    this.sendMessage({ type: 'welcome', session, subject, heartbeatMs, spreadMs, time, ...expiry, limits });
    this.#machine.welcomed();
    this.#stopTimer();
    this.#host.welcomed(this);
    const operations = (this.#operations = new Operations(services, this, identity));
    if (goingAway !== undefined) this.goaway(goingAway);
    operations.begin(subscribe);
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { message, bytes } of held) operations.carryOut(message, bytes);
  }

  #createExpiry(): Expiry {
    return new Expiry({
      clock: this.#clock,
      onWarning: (expiresAt) => this.#operations !== undefined && this.sendMessage({ type: 'expiring', expiresAt }),
      onEnd: () => this.refuse(new HoldfastError('TOKEN_EXPIRED')),
    });
  }

  /** See `MeterHost`. */
  onLimited(limit: LimitName, isNew: boolean): void {
    this.#host.services.counters.countLimit(limit);
    if (isNew) this.#host.event({ type: 'limited', limit, key: this.#identity?.subject ?? this.#arrival.address, ...this.facts });
  }

  #hold(message: ClientMessage, bytes: number): void {
    this.#held ??= [];
    if (this.#held.length < HELD_FRAMES_MAX) return void this.#held.push({ message, bytes });
    this.end(new HoldfastError('TOO_MANY_IN_FLIGHT', 'too many frames before "welcome"'), CLOSE_CODES.OVERLOADED);
  }

  #becomePlain(frame?: string | Uint8Array): void {
    this.#stopTimer();
    this.#client = `plain-${this.session}`;
    this.#plain = new PlainSession(this.#host.services, this, this.endpoint.plain!);
    if (frame !== undefined) this.#meter.take({ Requests: 1, Bytes: frame.length });
    this.#plain.begin(frame);
  }

  #helloTimeout(): void {
    this.#timer = undefined;
    // HF-2.4: who says nothing may be a plain client that only listens; what its upgrade showed is examined now.
    if (this.#machine.phase === 'greeting' && this.endpoint.plain !== undefined && !this.#arrival.isProtocol) return this.#becomePlain();
    this.#meter.reached('helloTimeoutMs');
    if (this.#machine.phase === 'greeting') return this.end(new HoldfastError('HELLO_TIMEOUT'), CLOSE_CODES.HELLO_TIMEOUT);
    // The hello came, and the answer did not: whoever examines credentials is too slow, and must not be asked faster.
    this.end(new HoldfastError('OVERLOADED', 'the credentials could not be examined in time'), CLOSE_CODES.OVERLOADED);
  }

  /**
   * HF-8.1, HF-8.2: looks whether it is time for a `ping`, or for the end. Called by the hub every `periodMs`, so the ping comes
   * up to that much before its time, and never later. `isLate`: this process was suspended, or its clock set; that tells
   * nothing of the client.
   */
  beat(now: number, periodMs: number, isLate: boolean): void {
    if (this.#isClosed || this.#operations === undefined) return;
    const { heartbeatMs } = this.#host;
    if (isLate || now < this.#heardAt) this.#heardAt = now;
    if (now - this.#heardAt >= SILENT_BEATS_MAX * heartbeatMs)
      return this.end(new HoldfastError('HEARTBEAT_LOST'), CLOSE_CODES.HEARTBEAT_LOST);
    const wasSetBack = now < this.#lookedAt;
    if (wasSetBack || (!this.#hasSent && now - this.#sentAt + periodMs > heartbeatMs)) this.#ping();
    // What was sent since the look before was sent after it.
    if (this.#hasSent) this.#sentAt = wasSetBack ? now : this.#lookedAt;
    this.#hasSent = false;
    this.#lookedAt = now;
  }

  /** With the spread where it is another by now, so that a herd that has grown comes back slowly. */
  #ping(): void {
    const spreadMs = this.#host.spreadMs();
    this.sendMessage({ type: 'ping', ...(spreadMs === this.#toldSpreadMs ? {} : { spreadMs }) });
    this.#toldSpreadMs = spreadMs;
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wakeReady(): void {
    const waiting = this.#onReady ?? [];
    this.#onReady = undefined;
    for (const resolve of waiting) resolve();
  }

  #release(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#machine.close();
    this.#stopTimer();
    this.#expiry?.clear();
    this.#operations?.close();
    this.#plain?.ended();
    this.#held = undefined;
    this.#wakeReady();
    this.#host.closed(this, { code, reason });
    const durationMs = Math.max(0, this.#clock.now() - this.#openedAtMs);
    this.#host.event({ type: 'closed', code, reason, durationMs, ...this.facts });
  }
}

/** The close code for a refusal of a whole connection. */
function closeFor(error: HoldfastError): { readonly code: number } {
  if (isCredentialRefusal(error)) return CLOSE_CODES.UNAUTHENTICATED;
  return error.retryable ? CLOSE_CODES.OVERLOADED : CLOSE_CODES.REFUSED;
}
