/**
 * What waits for an answer with its id: two sets, waiting and sent, and one move between them (PROTOCOL.md HF-1.4, HF-7.9).
 * At most `limits.requestsMax` are unanswered; the others wait their turn. What a cut means is the request's own affair.
 */

import {
  DEFAULT_LIMITS,
  HoldfastError,
  type ClientMessage,
  type ErrorMessage,
  type Hello,
  type Json,
  type Reply,
  type Subscribed,
} from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { Deferred } from './deferred.ts';
import { refusalOf } from './refusal.ts';

export type Answer = Reply | Subscribed | ErrorMessage;
export type Sendable = Exclude<ClientMessage, Hello>;

/** What waits for an answer. */
export interface Waiting {
  answer(answer: Answer): void;
  /** The connection ended after sending and before the answer. */
  cut(): void;
}

/** One request. `message` is asked for when it is sent, so that it says what is true then. */
export interface Request extends Waiting {
  message(id: number): Sendable;
}

export interface AskOptions {
  /** From now on, waiting for a connection included, ms. Default 10,000. */
  readonly deadlineMs?: number | undefined;
  /** Gives up: `ABORTED` if nothing was sent yet, else `UNKNOWN_OUTCOME`. */
  readonly signal?: AbortSignal | undefined;
}

/** The default of every request's deadline, ms. */
const REQUEST_DEADLINE_MS = 10_000;

export class Requests {
  readonly #clock: Clock;
  readonly #send: (message: Sendable) => void;
  readonly #waiting = new Map<number, Request>();
  readonly #sent = new Map<number, Waiting>();
  /** Promises that are to be settled by `close`. */
  readonly #asked = new Set<(error: HoldfastError) => void>();
  #isOpen = false;
  #isClosed = false;
  #countMax = DEFAULT_LIMITS.requestsMax;
  #nextId = 1;

  constructor(clock: Clock, send: (message: Sendable) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Sends it as soon as there is a connection with room; in the order of the calls. */
  issue(request: Request): number {
    const id = this.#nextId++;
    this.#waiting.set(id, request);
    this.#pump();
    return id;
  }

  /** The id for a request that its owner sends, such as one within the `hello`. */
  adopt(request: Waiting): number {
    const id = this.#nextId++;
    this.#sent.set(id, request);
    return id;
  }

  /** Takes back what was not sent yet; says whether it could. */
  withdraw(id: number): boolean {
    return this.#waiting.delete(id);
  }

  /** Says whether something waited for it. */
  answer(answer: Answer): boolean {
    const id = answer.id as number;
    const request = this.#sent.get(id);
    if (request === undefined) return false;
    this.#sent.delete(id);
    request.answer(answer);
    this.#pump();
    return true;
  }

  /** There is a connection. What `first` issues goes ahead of what waited for it. */
  open(countMax: number, first: () => void): void {
    const waited = [...this.#waiting];
    this.#waiting.clear();
    first();
    for (const [id, request] of waited) this.#waiting.set(id, request);
    this.#countMax = countMax;
    this.#isOpen = true;
    this.#pump();
  }

  down(): void {
    this.#isOpen = false;
    const cut = [...this.#sent.values()];
    this.#sent.clear();
    for (const request of cut) request.cut();
  }

  /** Rejects everything that is asked, from now on at once. */
  close(): void {
    this.#isOpen = false;
    this.#isClosed = true;
    for (const reject of this.#asked) reject(new HoldfastError('CLOSED'));
    this.#waiting.clear();
    this.#sent.clear();
  }

  /**
   * The data of the reply. Rejects with the server's refusal; with `OFFLINE` if the deadline passes with nothing sent or
   * when it may be asked again anyway; with `UNKNOWN_OUTCOME` if it was sent and the answer is missing. `isIdempotent`:
   * a cut sends it again.
   */
  ask(
    message: (id: number) => Sendable,
    isIdempotent: boolean,
    { deadlineMs = REQUEST_DEADLINE_MS, signal }: AskOptions = {},
  ): Promise<Json> {
    const deferred = new Deferred<Json>();
    let id = 0;
    let isSent = false;
    const finish = (): void => {
      this.#clock.clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      this.#asked.delete(fail);
      this.#waiting.delete(id);
    };
    const fail = (error: HoldfastError): void => {
      finish();
      deferred.reject(error);
    };
    const onAbort = (): void => fail(new HoldfastError(isSent ? 'UNKNOWN_OUTCOME' : 'ABORTED', 'the caller aborted'));
    const request: Request = {
      message: (requestId) => {
        isSent = true;
        return message(requestId);
      },
      answer: (answer) => {
        if (deferred.isSettled) return;
        if (answer.type === 'reply') {
          finish();
          deferred.resolve(answer.data);
        } else if (answer.type === 'error') fail(refusalOf(answer));
      },
      cut: () => {
        if (deferred.isSettled) return;
        if (isIdempotent) id = this.issue(request);
        else fail(new HoldfastError('UNKNOWN_OUTCOME'));
      },
    };
    const timer = this.#clock.setTimeout(() => {
      const isUnknown = isSent && !isIdempotent;
      fail(new HoldfastError(isUnknown ? 'UNKNOWN_OUTCOME' : 'OFFLINE', `no answer within ${deadlineMs} ms`));
    }, deadlineMs);
    this.#asked.add(fail);
    if (this.#isClosed) fail(new HoldfastError('CLOSED'));
    else if (signal?.aborted === true) onAbort();
    else {
      signal?.addEventListener('abort', onAbort);
      id = this.issue(request);
    }
    return deferred.promise;
  }

  #pump(): void {
    if (!this.#isOpen) return;
    for (const [id, request] of this.#waiting) {
      if (this.#sent.size >= this.#countMax) return;
      this.#waiting.delete(id);
      this.#sent.set(id, request);
      this.#send(request.message(id));
    }
  }
}
