/**
 * Runs the machine of a connection (connection-machine.ts) against sockets, a clock and chance, for whoever speaks a protocol
 * over it: `createConnection` and the Holdfast client. It decides nothing itself and understands no frame.
 *
 * Events are carried out one after the other: one that comes up while an effect is carried out waits its turn, so that the
 * owner may call anything from anywhere. Frames are handed over outside of that.
 */

import { closeAdvice, HoldfastError, type BackoffOptions, type CloseAdvice } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { INITIAL_STATE, phaseOf, step, type Effect, type MachineEvent, type MachineState, type Phase } from './connection-machine.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Random } from './random.ts';
import type { ClientSocket, SocketEnd, SocketFactory, SocketOptions } from './socket.ts';

export interface DriverOptions {
  /** The first is preferred; the others are tried in an order of this side's own, so that no herd follows one. */
  readonly urls: readonly string[];
  readonly socket: SocketFactory;
  readonly socketOptions: SocketOptions;
  /** Asked for at every attempt. */
  readonly token: () => string | undefined | Promise<string | undefined>;
  /** Refusals of the credentials in a row after which it is no use. */
  readonly refusalsMax: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly backoff?: BackoffOptions | undefined;
  readonly attemptsMax?: number | undefined;
  readonly lifecycle?: Lifecycle | undefined;
}

export interface DriverEvents {
  /** The socket is open: what to send first. Answered by `welcomed`, now or later. */
  greet(token: string | undefined): void;
  onUp(): void;
  /** What was greeted is gone. */
  onDown(): void;
  onFrame(frame: string | Uint8Array): void;
  /** Something came, perhaps a part of a frame only; what is whole comes as `onFrame` as well. */
  onActivity?(): void;
  onDrain?(): void;
  /** To send what the peer answers. */
  probe(): void;
  /** What the status is made of changed. */
  onChange(): void;
  /** Why a socket ended, if more is known than the socket says. */
  explain(end: SocketEnd): HoldfastError | undefined;
  /** What an end asks for, if it is not what its code says (HF-11.1). */
  advise?(end: SocketEnd): CloseAdvice | undefined;
}

/** From the beginning of an attempt to the token, and from there to the welcome. */
const ATTEMPT_MS = 10_000;

export class ConnectionDriver {
  readonly #options: DriverOptions;
  readonly #events: DriverEvents;
  readonly #urls: readonly string[];
  readonly #pending: MachineEvent[] = [];
  #isRunning = false;
  #state: MachineState = INITIAL_STATE;
  #timer: unknown;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #socket: ClientSocket | undefined;
  #scout: ClientSocket | undefined;
  /** Of the present token or socket: what an older one says is not heard. */
  #serial = 0;
  #token: string | undefined;
  #heardAtMs = 0;
  #askedAtMs: number | undefined;
  #isHeld = false;
  #rttMs: number | undefined;
  #url: string;
  #shown: readonly unknown[] = [];
  #endLifecycle: (() => void) | undefined;

  constructor(options: DriverOptions, events: DriverEvents) {
    this.#options = options;
    this.#events = events;
    const [first, ...others] = options.urls;
    this.#urls = [first!, ...shuffled(others, options.random)];
    this.#url = first!;
  }

  get phase(): Phase {
    return phaseOf(this.#state.name);
  }

  /** Whether frames can be sent. */
  get isUp(): boolean {
    return this.phase === 'open' || this.phase === 'suspect';
  }

  get hasEnded(): boolean {
    return this.#state.name === 'ended';
  }

  /** Attempts since the last connection that proved stable; 0 while the first is under way. */
  get attempt(): number {
    return this.#state.attempt;
  }

  /** When the next attempt begins, wall clock ms; only while waiting for it. */
  get retryAtMs(): number | undefined {
    return this.phase === 'waiting' || this.phase === 'offline' ? this.#state.dueMs : undefined;
  }

  /** Of the last question that was answered: the greeting or a probe. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** The address of the present or last socket. */
  get endpoint(): string {
    return this.#url;
  }

  /** What went wrong last; `undefined` again when the connection is open. */
  get lastError(): HoldfastError | undefined {
    const { problem } = this.#state;
    return typeof problem === 'string' ? new HoldfastError(problem) : problem;
  }

  get socket(): ClientSocket | undefined {
    return this.#socket;
  }

  /** For the owner of a socket that was greeted. */
  send(frame: string | Uint8Array): void {
    this.#socket?.send(frame);
  }

  /** Stops reading, also on sockets to come; says whether the platform can. */
  hold(): boolean {
    this.#isHeld = this.#socket?.pause() ?? false;
    if (this.#isHeld) this.#hear();
    return this.#isHeld;
  }

  release(): void {
    this.#isHeld = false;
    this.#hear();
    this.#socket?.resume();
  }

  /** The peer answered what it was asked, by the greeting or a probe. */
  answered(): void {
    if (this.#askedAtMs !== undefined) this.#rttMs = Math.max(0, this.#options.clock.now() - this.#askedAtMs);
    this.#askedAtMs = undefined;
    this.#show();
  }

  dispatch(event: MachineEvent): void {
    this.#pending.push(event);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) this.#carryOut(next);
    } finally {
      this.#isRunning = false;
    }
  }

  #carryOut(event: MachineEvent): void {
    const { clock, random, backoff = {}, attemptsMax = Number.POSITIVE_INFINITY, refusalsMax, lifecycle } = this.#options;
    const nowMs = clock.now();
    // Nobody listens: silence says nothing. And a clock that was set back would hide one for as long as it was set back.
    this.#heardAtMs = this.#isHeld ? nowMs : Math.min(this.#heardAtMs, nowMs);
    const rules = { backoff, attemptsMax, endpointCount: this.#urls.length, refusalsMax: refusalsMax(), attemptMs: ATTEMPT_MS };
    const { state, effects } = step(this.#state, event, { nowMs, heardAtMs: this.#heardAtMs, draw: random(), rules });
    this.#state = state;
    for (const effect of effects) this.#do(effect, event);
    this.#arm(nowMs);
    if (state.name === 'ended') this.#endLifecycle?.();
    else if (state.name !== 'idle') this.#endLifecycle ??= lifecycle?.((type) => this.dispatch({ type }));
    this.#show();
  }

  /** Tells what is shown of it, when that has changed. */
  #show(): void {
    const { phase, attempt, retryAtMs, endpoint, rttMs } = this;
    const shown = [phase, attempt, retryAtMs, endpoint, rttMs, this.#state.problem];
    if (shown.every((value, at) => value === this.#shown[at])) return;
    this.#shown = shown;
    this.#events.onChange();
  }

  /** The state's one timer. */
  #arm(nowMs: number): void {
    const { dueMs } = this.#state;
    if (dueMs === this.#timerDueMs) return;
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimeout(
      () => {
        this.#timerDueMs = Number.POSITIVE_INFINITY;
        this.dispatch({ type: 'timer' });
      },
      Math.max(0, dueMs - nowMs),
    );
  }

  #do(effect: Effect, event: MachineEvent): void {
    switch (effect) {
      case 'authorize':
        return this.#authorize();
      case 'connect':
        return this.#connect();
      case 'greet':
        this.#ask();
        return this.#events.greet(this.#token);
      case 'up':
        if (this.#isHeld) this.#socket!.pause();
        return this.#events.onUp();
      case 'down':
        this.#endScout();
        return this.#events.onDown();
      case 'probe':
        this.#ask();
        return this.#events.probe();
      case 'drop': {
        const { code = 1000, reason = '' } = event as { readonly code?: number; readonly reason?: string };
        return this.#letGo()?.close(code, reason);
      }
      case 'abandon':
        return this.#letGo()?.abandon();
      case 'scout':
        return this.#sendScout();
    }
  }

  #authorize(): void {
    const serial = ++this.#serial;
    const take = (token: string | undefined): void => {
      if (serial !== this.#serial) return;
      this.#token = token;
      this.dispatch({ type: 'token' });
    };
    const fail = (error: unknown): void => {
      if (serial !== this.#serial) return;
      const problem = error instanceof HoldfastError ? error : new HoldfastError('UNAUTHENTICATED', String(error), { cause: error });
      this.dispatch({ type: 'tokenFailed', problem });
    };
    try {
      const token = this.#options.token();
      if (token instanceof Promise) token.then(take, fail);
      else take(token);
    } catch (error) {
      fail(error);
    }
  }

  #connect(): void {
    const { socket, socketOptions } = this.#options;
    const { alternate, endpoint } = this.#state;
    const serial = ++this.#serial;
    const guarded =
      <A extends unknown[]>(act: (...args: A) => void): ((...args: A) => void) =>
      (...args) => {
        if (serial === this.#serial) act(...args);
      };
    this.#url = alternate ?? this.#urls[endpoint]!;
    try {
      this.#socket = socket(this.#url, socketOptions, {
        onOpen: guarded(() => {
          this.#hear();
          this.dispatch({ type: 'opened' });
        }),
        onMessage: guarded((frame: string | Uint8Array) => {
          this.#hear();
          // Heard in turn, an owner may have let go of the socket.
          if (serial === this.#serial) this.#events.onFrame(frame);
        }),
        onActivity: guarded(() => {
          this.#hear();
          this.#events.onActivity?.();
        }),
        onDrain: guarded(() => this.#events.onDrain?.()),
        onClose: guarded((end) => this.#lost(end)),
      });
    } catch (cause) {
      const error =
        cause instanceof HoldfastError ? cause : new HoldfastError('NETWORK', `the socket could not be made: ${String(cause)}`, { cause });
      this.#lost({ code: 1006, reason: '', clean: false, cause: error });
    }
  }

  #lost(end: SocketEnd): void {
    this.#letGo();
    const { code, reason, cause } = end;
    const advice = this.#events.advise?.(end) ?? adviceOf(end);
    const said = `the server ${advice === 'stop' ? 'asked to stop' : 'closed'} (${code}${reason === '' ? '' : `, ${reason}`})`;
    const problem = this.#events.explain(end) ?? cause ?? new HoldfastError(CODE_OF[advice], said);
    this.dispatch({ type: 'lost', advice, problem, retryAfterMs: problem.retryAfterMs });
  }

  /** From now on nothing that the socket says is heard. */
  #letGo(): ClientSocket | undefined {
    const socket = this.#socket;
    this.#serial += 1;
    this.#socket = undefined;
    return socket;
  }

  #hear(): void {
    this.#heardAtMs = this.#options.clock.now();
    const { name } = this.#state;
    if (name === 'probing' || name === 'suspect') this.dispatch({ type: 'heard' });
  }

  #ask(): void {
    this.#askedAtMs = this.#options.clock.now();
  }

  #sendScout(): void {
    this.#endScout();
    const { socket, socketOptions } = this.#options;
    const tell = (isReachable: boolean): void => {
      if (this.#scout !== scout) return;
      this.#endScout();
      this.dispatch({ type: 'scouted', isReachable });
    };
    const ignore = (): void => {};
    const scout = socket(this.#urls[0]!, socketOptions, { onOpen: () => tell(true), onMessage: ignore, onClose: () => tell(false) });
    this.#scout = scout;
  }

  #endScout(): void {
    const scout = this.#scout;
    this.#scout = undefined;
    scout?.close(1000, '');
  }
}

const CODE_OF = { stop: 'CLOSED', reauthenticate: 'UNAUTHENTICATED', 'back-off': 'OVERLOADED', resume: 'CONNECTION_LOST' } as const;

/** HF-11.1, and what an HTTP status in place of the upgrade asks for. */
function adviceOf({ code, httpStatus: status, cause }: SocketEnd): CloseAdvice {
  if (cause?.code === 'INVALID_URL' || cause?.code === 'USAGE') return 'stop';
  if (status === undefined) return closeAdvice(code);
  if (status === 401 || status === 403) return 'reauthenticate';
  return status >= 500 || status === 408 || status === 425 || status === 429 ? 'back-off' : 'stop';
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
