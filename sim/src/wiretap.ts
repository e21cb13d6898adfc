/**
 * Listens to every connection and checks what a server says while it says it: that nothing is told before it is durable,
 * that credit and queues are kept, that no signal overtakes an entry. It parses with the wire's codec and keeps its own
 * account of each stream.
 */

import {
  parseServerFrame,
  type ClientMessage,
  type EntryMessage,
  type Position,
  type ServerMessage,
  type SignalMessage,
  type SubscribeRequest,
} from '@holdfast/wire';
import type { Ledger } from './ledger.ts';
import { contentOf } from './payload.ts';
import type { Verdict } from './properties.ts';

/** One subscription as the frames tell it. */
interface Stream {
  place: Position;
  /** What the client allows; `Infinity`: no credit flow. */
  windowCount: number;
  creditUpTo: number;
}

interface Tap {
  readonly streams: Map<string, Stream>;
  readonly topics: Map<number, string>;
  /** Entries allowed, by the id of the subscription, until its answer. */
  readonly windows: Map<string | number, number>;
}

/** What a simulated signal carries: the sender's process, its count, and the last acknowledged place that it knew. */
export interface SignalContent {
  readonly process: string;
  readonly count: number;
  readonly epoch: string;
  readonly offset: number;
}

/** One entry beyond the bound, and the acknowledgements, answers and beats that no bound holds back, bytes. */
const FRAMES_BEYOND_BYTES = 32_768;

export class Wiretap {
  readonly #ledger: Ledger;
  readonly #verdict: Verdict;
  readonly #queueBytesMax: number;
  readonly #taps = new Map<string, Tap>();

  constructor(ledger: Ledger, verdict: Verdict, queueBytesMax: number) {
    this.#ledger = ledger;
    this.#verdict = verdict;
    this.#queueBytesMax = queueBytesMax;
  }

  /** A client sends this now; it may never arrive. */
  fromClient(link: string, frame: string | Uint8Array): void {
    if (typeof frame !== 'string') return;
    const message = JSON.parse(frame) as ClientMessage;
    const tap = this.#tap(link);
    if (message.type === 'hello') for (const request of message.subscribe ?? []) this.#expect(tap, request);
    if (message.type === 'subscribe') this.#expect(tap, message);
    if (message.type !== 'credit') return;
    const stream = tap.streams.get(message.topic);
    const isMeant = stream !== undefined && (message.epoch ?? stream.place.epoch) === stream.place.epoch;
    if (isMeant) stream.creditUpTo = Math.max(stream.creditUpTo, message.upTo);
  }

  /** A server sends this now. `bufferedBytes`: what waits before it. */
  fromServer(link: string, frame: string | Uint8Array, bufferedBytes: number): void {
    const boundBytes = this.#queueBytesMax + FRAMES_BEYOND_BYTES;
    this.#verdict.expect(
      bufferedBytes <= boundBytes,
      'queues-bounded',
      () => `${bufferedBytes} bytes are buffered for ${link}, which may hold ${this.#queueBytesMax}`,
    );
    const tap = this.#tap(link);
    const message = parseServerFrame(frame, (number) => tap.topics.get(number));
    if (message !== undefined) this.#take(tap, message, link);
  }

  #take(tap: Tap, message: ServerMessage, link: string): void {
    switch (message.type) {
      case 'ack':
        return this.#ledger.acknowledging(message.topic, message.epoch, message.offset + (message.count ?? 1) - 1);
      case 'subscribed': {
        const windowCount = tap.windows.get(message.id) ?? Infinity;
        tap.topics.set(message.number, message.topic);
        tap.streams.set(message.topic, { place: message.position, windowCount, creditUpTo: message.position.offset + windowCount });
        return;
      }
      case 'entry':
        return this.#entry(tap.streams.get(message.topic)!, message, link);
      case 'signal':
        return this.#signal(tap.streams.get(message.topic)!, message, link);
      case 'skip': {
        const stream = tap.streams.get(message.topic)!;
        stream.place = { ...stream.place, offset: message.last };
        return;
      }
      case 'gap': {
        const stream = tap.streams.get(message.topic)!;
        // What was not used goes on behind the gap, and no more: a reader that stands still holds one window.
        stream.creditUpTo = message.after.offset + (stream.creditUpTo - stream.place.offset);
        stream.place = message.after;
        return;
      }
      case 'welcome':
      case 'reply':
      case 'error':
      case 'presence':
      case 'register':
      case 'expiring':
      case 'goaway':
      case 'ping':
      case 'pong':
        return;
    }
  }

  #entry(stream: Stream, { topic, offset, data }: EntryMessage, link: string): void {
    const { epoch } = stream.place;
    const durable = this.#ledger.log(topic, epoch)?.contents[offset - 1]?.id;
    const said = contentOf(data).id;
    this.#verdict.expect(
      durable === said,
      'told-when-durable',
      () => `${link} is told ${said} at ${offset} of ${topic} ${epoch}, where ${durable ?? 'nothing'} is durable`,
    );
    this.#verdict.expect(
      offset <= stream.creditUpTo,
      'credit-kept',
      () => `${link} is sent ${offset} of ${topic}, and has credit up to ${stream.creditUpTo}`,
    );
    stream.place = { ...stream.place, offset };
  }

  #signal({ place }: Stream, { topic, data }: SignalMessage, link: string): void {
    const { epoch, offset, process } = data as unknown as SignalContent;
    const isOvertaking = place.epoch === epoch && place.offset < offset;
    this.#verdict.expect(
      !isOvertaking,
      'signals-in-place',
      () => `${link} gets a signal of ${process}, sent after entry ${offset} of ${topic}, at ${place.offset}`,
    );
  }

  #expect(tap: Tap, { id, credit = Infinity }: SubscribeRequest): void {
    tap.windows.set(id, credit);
  }

  #tap(link: string): Tap {
    let tap = this.#taps.get(link);
    if (tap === undefined) this.#taps.set(link, (tap = { streams: new Map(), topics: new Map(), windows: new Map() }));
    return tap;
  }
}
