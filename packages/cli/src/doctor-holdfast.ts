/**
 * The protocol steps of `holdfast doctor` against a Holdfast server: hello and welcome, clock, heartbeat, limits, credentials,
 * round trips, a large frame, an idle time (PROTOCOL.md HF-2, HF-3, HF-8, HF-12). It subscribes to nothing and stores nothing.
 */

import { randomBytes } from 'node:crypto';
import { SUBPROTOCOL } from '@holdfast/server';
import {
  closeAdvice,
  DEFAULT_LIMITS,
  HoldfastError,
  isErrorCode,
  parseServerFrame,
  type Limits,
  type ServerMessage,
  type Welcome,
} from '@holdfast/wire';
import { Channel, closeText, type ChannelEvent } from './doctor-channel.ts';
import { observeIdle } from './doctor-idle.ts';
import type { ProxyKind } from './doctor-proxy.ts';
import { durationText, end, failed, ok, warning, type Observation, type Outcome, type Report } from './doctor-report.ts';
import { observeRoundTrips } from './doctor-round-trip.ts';
import type { Order, Route, World } from './doctor-world.ts';

type Closed = ChannelEvent & { readonly kind: 'closed' };
type Heard = { readonly message: ServerMessage; readonly atMs: number } | Closed | undefined;

export async function examineHoldfast(
  order: Order,
  route: Route,
  world: World,
  kind: ProxyKind | undefined,
  report: Report,
): Promise<void> {
  const peer = new HoldfastPeer(order, await Channel.open(order, route, world, SUBPROTOCOL), world);
  try {
    const welcome = await report.run('hello', () => peer.greet());
    if (welcome === undefined) return;
    for (const [step, observation] of observeWelcome(welcome, order)) report.add(step, observation);
    const isAnswering = await report.run('round trip', () => peer.measure());
    if (isAnswering === undefined) return;
    if (order.isLarge && (await report.run('large', () => peer.sendLarge(welcome.message.limits))) === undefined) return;
    if (order.idleMs > 0) await report.run('idle', () => peer.idle(welcome.message.heartbeatMs, kind));
  } catch (error) {
    // Of `parseServerFrame`; anything else is a bug.
    if (!(error instanceof HoldfastError)) throw error;
    report.add('protocol', notUnderstood(error, order));
  } finally {
    await peer.close();
  }
}

interface Greeting {
  readonly message: Welcome;
  /** The server's clock minus this machine's, ms, up to half the round trip wrong either way. */
  readonly skewMs: number;
  readonly roundTripMs: number;
}

class HoldfastPeer {
  readonly #order: Order;
  readonly #channel: Channel;
  readonly #world: World;
  #beats = 0;

  constructor(order: Order, channel: Channel, world: World) {
    this.#order = order;
    this.#channel = channel;
    this.#world = world;
  }

  async close(): Promise<void> {
    await this.#channel.close();
  }

  async greet(): Promise<Outcome<Greeting>> {
    const { token, waitMs } = this.#order;
    const sentAtMs = performance.now();
    const clockMs = this.#world.now();
    const hello = { type: 'hello', client: `doctor-${randomBytes(6).toString('hex')}`, ...(token === undefined ? {} : { token }) };
    this.#channel.send(JSON.stringify(hello));
    const heard = await this.#hear(waitMs, (message) => message.type === 'welcome' || message.type === 'error');
    if (heard === undefined)
      return end(
        failed(
          `no welcome within ${durationText(waitMs)}`,
          'The server took the subprotocol and says nothing: look at its log, and at proxies that buffer.',
        ),
      );
    if ('kind' in heard) return end(this.#closedAt('before the welcome', heard));
    const { message, atMs } = heard;
    if (message.type === 'error') return end(await this.#refused(message));
    const roundTripMs = atMs - sentAtMs;
    const greeting: Greeting = {
      message: message as Welcome,
      skewMs: (message as Welcome).time - (clockMs + roundTripMs / 2),
      roundTripMs,
    };
    const who = token === undefined ? 'without a token' : 'with the token';
    return {
      observations: [ok(`welcome as "${this.#quote(greeting.message.subject)}", ${who}`, { session: greeting.message.session })],
      value: greeting,
    };
  }

  /** Pings one after another (HF-8.1). */
  async measure(): Promise<Outcome<true>> {
    const { pingCount, waitMs } = this.#order;
    const times: number[] = [];
    for (let id = 1; id <= pingCount; id++) {
      const sentAtMs = performance.now();
      const answer = await this.#ping(id, '');
      if (answer !== undefined && 'kind' in answer) return end(this.#closedAt('while pings were sent', answer));
      if (answer === undefined) return end(observeRoundTrips('pings', times, { waitMs }));
      times.push(answer.atMs - sentAtMs);
    }
    return { observations: [observeRoundTrips('pings', times, undefined)], value: true };
  }

  /**
   * A ping as large as a frame may be: fields that it does not know a receiver ignores (HF-1.5), so nothing is stored. What
   * comes back is small.
   */
  async sendLarge({ frameBytesMax }: Limits): Promise<Outcome<true>> {
    const bare = JSON.stringify({ type: 'ping', id: 'large', padding: '' });
    const answer = await this.#ping('large', 'x'.repeat(frameBytesMax - bare.length));
    if (answer !== undefined && !('kind' in answer))
      return { observations: [ok(`a frame of ${frameBytesMax} bytes, the largest, arrived`)], value: true };
    const mend = 'A proxy or gateway on the way has a smaller bound than the server: raise it, or lower frameBytesMax to it.';
    if (answer === undefined) return end(failed(`a frame of ${frameBytesMax} bytes was not answered`, mend));
    return end(failed(`a frame of ${frameBytesMax} bytes ended the connection (${closeText(answer, this.#quote)})`, mend));
  }

  /** Says nothing but the answers to the server's heartbeat, as a client does. */
  async idle(heartbeatMs: number, kind: ProxyKind | undefined): Promise<Outcome<true>> {
    const sinceMs = performance.now();
    this.#beats = 0;
    const { idleMs } = this.#order;
    const heard = await this.#hear(idleMs, () => false);
    const closed = heard !== undefined && 'kind' in heard ? heard : undefined;
    const heartbeat = { beats: this.#beats, intervalMs: heartbeatMs };
    const observation = observeIdle({ idleMs, closed, afterMs: performance.now() - sinceMs, kind, heartbeat }, this.#quote);
    return { observations: [observation], value: true };
  }

  async #ping(id: number | string, padding: string): Promise<Heard> {
    this.#channel.send(JSON.stringify({ type: 'ping', id, padding }));
    return this.#hear(this.#order.waitMs, (message) => message.type === 'pong' && message.id === id);
  }

  /** The next message that is wanted, or the end; heartbeats are answered meanwhile. */
  async #hear(waitMs: number, isWanted: (message: ServerMessage) => boolean): Promise<Heard> {
    const untilMs = performance.now() + waitMs;
    for (;;) {
      const event = await this.#channel.next(Math.max(0, untilMs - performance.now()));
      if (event === undefined || event.kind === 'closed') return event;
      if (event.kind !== 'text') continue;
      const message = parseServerFrame(event.text, () => undefined);
      if (message === undefined) continue;
      if (message.type === 'ping') {
        this.#beats++;
        this.#channel.send(JSON.stringify({ type: 'pong', ...(message.id === undefined ? {} : { id: message.id }) }));
      }
      if (isWanted(message)) return { message, atMs: event.atMs };
    }
  }

  async #refused({ code, message, hint, retryAfterMs }: ServerMessage & { readonly type: 'error' }): Promise<Observation> {
    const known = isErrorCode(code) ? new HoldfastError(code).hint : undefined;
    const closed = await this.#hear(Math.min(this.#order.waitMs, CLOSE_MS), () => false);
    const after = closed !== undefined && 'kind' in closed ? `, then close ${closeText(closed, this.#quote)}` : '';
    const wait = retryAfterMs === undefined ? '' : `, again in ${durationText(retryAfterMs)}`;
    const mend = this.#quote(hint ?? known ?? 'Look the code up in PROTOCOL.md, HF-10.');
    const own = code === 'UNAUTHENTICATED' && this.#order.token === undefined ? ' No token was given here: --token TOKEN.' : '';
    return failed(`${this.#quote(code)}: ${this.#quote(message)}${wait}${after}`, `${mend}${own}`, { code });
  }

  #closedAt(when: string, closed: Closed): Observation {
    const advice = ADVICE[closeAdvice(closed.code)];
    return failed(`the connection ended ${when} (${closeText(closed, this.#quote)})`, advice, { closeCode: closed.code });
  }

  readonly #quote = (text: string): string => this.#order.secrets.quote(text);
}

/** How long is waited for the close that follows an error, ms. */
const CLOSE_MS = 2_000;

const ADVICE = {
  stop: 'Mend what the code says: connecting again is pointless.',
  'back-off': 'Come back after a while.',
  resume: 'Look at the log of the server and of every proxy on the way.',
  reauthenticate: 'Get a fresh token.',
} as const;

function notUnderstood(error: HoldfastError, { secrets }: Order): Observation {
  const what = secrets.quote(error.message);
  return failed(
    `what came is not of the protocol: ${what}`,
    'Something else answers under this subprotocol, or it is another version: check the address.',
  );
}

/** Nobody notices less; tokens and times of entries are off by it, ms. */
const SKEW_MAX_MS = 30_000;
/** Common proxies end connections that were idle for so long, ms. */
const PROXY_IDLE_MS = 60_000;
/** Shorter lives give no time for anything, ms. */
const LIFE_MIN_MS = 60_000;

function observeWelcome({ message, skewMs, roundTripMs }: Greeting, { token }: Order): readonly (readonly [string, Observation])[] {
  return [
    ['clock', observeClock(skewMs, roundTripMs)],
    ['heartbeat', observeHeartbeat(message.heartbeatMs)],
    ['limits', observeLimits(message.limits)],
    ['token', observeLife(message, token)],
  ];
}

function observeClock(skewMs: number, roundTripMs: number): Observation {
  const facts = { skewMs: Math.round(skewMs), uncertaintyMs: Math.ceil(roundTripMs / 2) };
  const give = `(give or take ${durationText(Math.ceil(roundTripMs / 2))})`;
  const size = durationText(Math.abs(Math.round(skewMs)));
  if (Math.abs(skewMs) <= roundTripMs / 2 + 1) return ok(`the server's clock and this machine's agree ${give}`, facts);
  const text = `the server's clock is ${size} ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's ${give}`;
  if (Math.abs(skewMs) - roundTripMs / 2 < SKEW_MAX_MS) return ok(text, facts);
  return warning(text, 'Set the wrong one of the two by NTP: tokens end too early or too late by it.', facts);
}

function observeHeartbeat(heartbeatMs: number): Observation {
  const facts = { heartbeatMs };
  const text = `the server sends something every ${durationText(heartbeatMs)} at least`;
  if (heartbeatMs < PROXY_IDLE_MS) return ok(text, facts);
  return warning(text, 'Many proxies end connections that were idle for 60 s: lower the heartbeat of the server below that.', facts);
}

function observeLimits(limits: Limits): Observation {
  const names = Object.keys(DEFAULT_LIMITS) as (keyof Limits)[];
  const changed = names.filter((name) => limits[name] !== DEFAULT_LIMITS[name]);
  const texts = changed.map((name) => `${name} ${limits[name]}`);
  const facts = Object.fromEntries(names.map((name) => [name, Number.isFinite(limits[name]) ? limits[name] : null]));
  return ok(texts.length === 0 ? 'all as by default' : `as by default but ${texts.join(', ')}`, facts);
}

function observeLife({ time, expiresAt }: Welcome, token: string | undefined): Observation {
  if (expiresAt === undefined)
    return ok(token === undefined ? 'none was given, and none was wanted' : 'no end of the credentials is announced');
  const leftMs = expiresAt - time;
  const facts = { expiresAt: new Date(expiresAt).toISOString(), leftMs };
  if (leftMs >= LIFE_MIN_MS) return ok(`the credentials end in ${lifeText(leftMs)}`, facts);
  return warning(
    `the credentials end in ${lifeText(Math.max(0, leftMs))}`,
    'Issue tokens for some minutes at least; a client renews them by "auth" (HF-3.6).',
    facts,
  );
}

function lifeText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 2) return `${Math.round(ms / 1_000)} s`;
  return minutes < 120 ? `${minutes} min` : minutes < 2_880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1_440)} days`;
}
