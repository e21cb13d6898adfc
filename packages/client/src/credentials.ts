/**
 * The credentials of a client: a fixed token, or a source of fresh ones, and their renewal on a live connection before they
 * end (PROTOCOL.md HF-3.6, HF-3.8). It knows no socket, and never decides whether to connect: a renewal that came too late
 * is made up for by the next connection, which asks for a token anyway.
 *
 * The source is asked once at a time, whoever wants a token, and tokens are shown to the server in the order of the calls.
 */

import { backoffDelayMs, HoldfastError, isJsonObject, type Json, type Welcome } from '@holdfast/wire';
import type { Clock } from './clock.ts';
import { Deferred, ignorable } from './deferred.ts';
import { Pause } from './pause.ts';
import type { Random } from './random.ts';

/** A token, or what gets a fresh one; asked for at every attempt to connect, and before the credentials end. */
export type TokenSource = string | (() => string | Promise<string>);

export interface CredentialsOptions {
  readonly source: TokenSource | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly isOpen: () => boolean;
  /** Shows a token to the server, as soon as there is a connection; resolves with the data of the reply. */
  readonly show: (token: string) => Promise<Json>;
  /** The server has taken a token on a live connection: the rights may be others now. */
  readonly onAccepted: () => void;
  /** `expiresAtMs` or `problem` changed. */
  readonly onChange: () => void;
}

/** How long the source may take for a token. */
const TOKEN_DEADLINE_MS = 10_000;

export class Credentials {
  readonly #options: CredentialsOptions;
  readonly #pause: Pause;
  #source: TokenSource | undefined;
  #asked: Deferred<string> | undefined;
  #deadline: unknown;
  /** The last token's way to the server and back; the next one waits for it. */
  #shown: Promise<unknown> = Promise.resolve();
  /** By how much the server's clock is ahead of this one, ms. */
  #aheadMs = 0;
  #expiresAtMs: number | undefined;
  #problem: HoldfastError | undefined;
  /** Counts up with all that makes a renewal pointless. */
  #round = 0;
  #isRenewing = false;

  constructor(options: CredentialsOptions) {
    this.#options = options;
    this.#source = options.source;
    this.#pause = new Pause(options.clock);
  }

  /** Whether another token can be had. */
  get isRenewable(): boolean {
    return typeof this.#source === 'function';
  }

  /** When the credentials of the live connection end, by this side's wall clock, ms; `undefined`: not that anybody said so. */
  get expiresAtMs(): number | undefined {
    return this.#expiresAtMs;
  }

  /** Why they could not be renewed, while that is tried. */
  get problem(): HoldfastError | undefined {
    return this.#problem;
  }

  /** A token for a new connection. Rejects with `UNAUTHENTICATED` if the source fails or takes more than 10 s. */
  token(): string | undefined | Promise<string> {
    const source = this.#source;
    return typeof source === 'function' ? this.#ask(source) : source;
  }

  welcomed({ time, expiresAt }: Welcome): void {
    this.#aheadMs = time - this.#options.clock.now();
    this.#settle(expiresAt);
  }

  /** HF-3.8. A token that cannot change stays as it is until the server closes. */
  expiring(expiresAt: number): void {
    this.#expiresAtMs = expiresAt - this.#aheadMs;
    this.#options.onChange();
    if (this.isRenewable && !this.#isRenewing) void this.#renew();
  }

  /** The connection is gone, and whatever the server knew of these credentials. */
  down(): void {
    this.#settle(undefined);
  }

  close(): void {
    this.down();
    this.#options.clock.clearTimeout(this.#deadline);
  }

  /** See `Client.authenticate`. */
  authenticate(token?: string): Promise<void> {
    const source = this.#source;
    if (token === undefined && typeof source !== 'function')
      throw new HoldfastError('USAGE', 'authenticate: want a token, since the option "token" is not a function');
    // A client that was refused with its only token gets the next connection by this one.
    if (typeof source !== 'function' && !this.#options.isOpen()) this.#source = token;
    const shown = this.#shown.then(async () => {
      const fresh = token ?? (await this.#ask(source as () => string | Promise<string>));
      const data = await this.#options.show(fresh);
      if (typeof source !== 'function') this.#source = fresh;
      const { expiresAt } = isJsonObject(data) ? data : {};
      this.#settle(typeof expiresAt === 'number' ? expiresAt : undefined);
      this.#options.onAccepted();
    });
    this.#shown = shown.catch(() => {});
    return ignorable(shown);
  }

  /** Until the server has accepted a token or the old one has ended. */
  async #renew(): Promise<void> {
    const { clock, random, onChange } = this.#options;
    const round = this.#round;
    this.#isRenewing = true;
    for (let attempt = 1; round === this.#round; attempt++) {
      const error = await this.authenticate().catch((reason: HoldfastError) => reason);
      if (round !== this.#round || error === undefined) return;
      this.#problem = error;
      onChange();
      const delayMs = (error.retryAfterMs ?? 0) + backoffDelayMs(attempt, 0, random());
      if (clock.now() + delayMs >= this.#expiresAtMs!) break;
      await this.#pause.wait(delayMs);
    }
  }

  /** What the server knows of the credentials now; ends a renewal. */
  #settle(expiresAt: number | undefined): void {
    this.#round += 1;
    this.#isRenewing = false;
    this.#problem = undefined;
    this.#expiresAtMs = expiresAt === undefined ? undefined : expiresAt - this.#aheadMs;
    this.#pause.end();
    this.#options.onChange();
  }

  #ask(source: () => string | Promise<string>): Promise<string> {
    if (this.#asked !== undefined) return this.#asked.promise;
    const { clock } = this.#options;
    const asked = new Deferred<string>();
    this.#asked = asked;
    const finish = (): void => {
      if (this.#asked !== asked) return;
      this.#asked = undefined;
      clock.clearTimeout(this.#deadline);
    };
    const fail = (message: string, cause?: unknown): void => {
      finish();
      asked.reject(new HoldfastError('UNAUTHENTICATED', message, { cause }));
    };
    this.#deadline = clock.setTimeout(() => fail(`no token within ${TOKEN_DEADLINE_MS} ms`), TOKEN_DEADLINE_MS);
    void new Promise<string>((resolve) => resolve(source())).then(
      (token) => {
        finish();
        asked.resolve(token);
      },
      (cause: unknown) => fail(`token() failed: ${String(cause)}`, cause),
    );
    return asked.promise;
  }
}
