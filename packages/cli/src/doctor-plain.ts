/**
 * The steps of `holdfast doctor` against any WebSocket server: whether it stays open, answers pings, takes a large message, and
 * lives through an idle time (RFC 6455 sections 5.5.2 and 5.5.3). What the server says of its own accord is not judged.
 */

import { Channel, closeText } from './doctor-channel.ts';
import { observeIdle } from './doctor-idle.ts';
import type { ProxyKind } from './doctor-proxy.ts';
import { durationText, end, failed, ok, warning, type Observation, type Outcome, type Report } from './doctor-report.ts';
import { observeRoundTrips } from './doctor-round-trip.ts';
import type { Order, Route, World } from './doctor-world.ts';

export interface PlainExamination {
  readonly order: Order;
  readonly route: Route;
  readonly world: World;
  readonly subprotocol: string | undefined;
  readonly kind: ProxyKind | undefined;
}

export async function examinePlain({ order, route, world, subprotocol, kind }: PlainExamination, report: Report): Promise<void> {
  const peer = new PlainPeer(order, await Channel.open(order, route, world, subprotocol));
  try {
    if ((await report.run('ping', () => peer.measure())) === undefined) return;
    if (order.isLarge && (await report.run('large', () => peer.sendLarge())) === undefined) return;
    if (order.idleMs > 0) await report.run('idle', () => peer.idle(kind));
  } finally {
    await peer.close();
  }
}

/** A text message of which nearly every server takes one, bytes. */
const LARGE_BYTES = 65_536;

class PlainPeer {
  readonly #order: Order;
  readonly #channel: Channel;
  /** What an echo would say, and whether it came. */
  #awaited: string | undefined;
  #isEchoed = false;

  constructor(order: Order, channel: Channel) {
    this.#order = order;
    this.#channel = channel;
  }

  async close(): Promise<void> {
    await this.#channel.close();
  }

  async measure(): Promise<Outcome<true>> {
    const { pingCount, waitMs } = this.#order;
    const times: number[] = [];
    for (let at = 1; at <= pingCount; at++) {
      const sentAtMs = performance.now();
      const answer = await this.#ping(`doctor ${at}`);
      if (typeof answer === 'string') return end(this.#ended(answer, times.length));
      if (answer === undefined) return end(lostPong(times, waitMs));
      times.push(answer - sentAtMs);
    }
    return { observations: [observeRoundTrips('pings', times, undefined)], value: true };
  }

  /** A message of this size may mean something to the server; it is sent only where that was asked for. */
  async sendLarge(): Promise<Outcome<true>> {
    const text = 'x'.repeat(LARGE_BYTES);
    this.#awaited = text;
    this.#channel.send(text);
    const answer = await this.#ping('doctor large');
    if (typeof answer === 'number') {
      const came = this.#isEchoed ? 'and came back' : 'and the connection stands';
      return { observations: [ok(`a text of ${LARGE_BYTES} bytes was taken, ${came}`)], value: true };
    }
    const how = answer === undefined ? 'was not answered' : `ended the connection (${answer})`;
    return end(
      failed(
        `a text of ${LARGE_BYTES} bytes ${how}`,
        'The server, or a gateway on the way, has a smaller bound: raise it, or send less at a time.',
      ),
    );
  }

  async idle(kind: ProxyKind | undefined): Promise<Outcome<true>> {
    const sinceMs = performance.now();
    const { idleMs } = this.#order;
    for (;;) {
      const event = await this.#channel.next(Math.max(0, sinceMs + idleMs - performance.now()));
      if (event !== undefined && event.kind !== 'closed') continue;
      const afterMs = performance.now() - sinceMs;
      return { observations: [observeIdle({ idleMs, closed: event, afterMs, kind }, this.#quote)], value: true };
    }
  }

  /** When its pong came, ms; the text of the end; or `undefined`, if neither came in time. */
  async #ping(text: string): Promise<number | string | undefined> {
    const untilMs = performance.now() + this.#order.waitMs;
    this.#channel.ping(text);
    for (;;) {
      const event = await this.#channel.next(Math.max(0, untilMs - performance.now()));
      if (event === undefined) return undefined;
      if (event.kind === 'closed') return closeText(event, this.#quote);
      if (event.kind === 'text' && event.text === this.#awaited) this.#isEchoed = true;
      if (event.kind === 'pong' && event.text === text) return event.atMs;
    }
  }

  #ended(why: string, answered: number): Observation {
    const when = answered === 0 ? 'right after it opened' : `after ${answered} pings`;
    return failed(
      `the connection ended ${when} (${why})`,
      'The upgrade is right, so it is the server that lets go: the code says why, and its log may say more.',
    );
  }

  readonly #quote = (text: string): string => this.#order.secrets.quote(text);
}

function lostPong(times: readonly number[], waitMs: number): Observation {
  if (times.length > 0) return observeRoundTrips('pings', times, { waitMs });
  return warning(
    `no pong came within ${durationText(waitMs)}`,
    'Every WebSocket must answer a ping (RFC 6455 section 5.5.2): the server does not read, or its library is not finished.',
  );
}
