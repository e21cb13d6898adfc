/**
 * Listens to every connection and checks what a server says while it says it: that nothing is told before it is durable,
 * that credit, queues and rights are kept, that no signal overtakes an entry, that whoever asks twice hears the same. It
 * parses with the wire's codec and keeps its own account of each stream.
 */

import {
  parseServerFrame,
  type ClientMessage,
  type EntryMessage,
  type ErrorMessage,
  type Position,
  type ServerMessage,
  type SignalMessage,
  type SubscribeRequest,
} from '@holdfast/wire';
import type { Ledger } from './ledger.ts';
import { contentOf } from './payload.ts';
import type { Tap } from './network.ts';
import type { Verdict } from './properties.ts';
import type { RightsBook } from './rights-book.ts';

/** One subscription as the frames tell it. */
interface Stream {
  place: Position;
  /** What the client allows; `Infinity`: no credit flow. */
  windowCount: number;
  creditUpTo: number;
}

interface Line {
  /** Who the client says it is, and who the server says it is. */
  client: string;
  subject: string | undefined;
  /** Publishes that arrived after the `welcome` and have no answer: when they came, virtual ms. */
  readonly unanswered: Map<string, number>;
  /** Topics whose members were hidden from it. */
  readonly hidesMembers: Set<string>;
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

/** What a wiretap looks up. */
export interface WiretapOptions {
  readonly ledger: Ledger;
  readonly verdict: Verdict;
  readonly rights: RightsBook;
  readonly queueBytesMax: number;
  /** Producers are forgotten so soon in this run that an outage can do it. */
  readonly isForgetful: boolean;
  /** `nowMs`: its wall clock; `drainsUntilMs`: as `Server.drainsUntilMs`. */
  readonly server: { readonly nowMs: number; readonly drainsUntilMs: number | undefined };
  /** Virtual time. */
  readonly timeline: { readonly nowMs: number };
}

/** One entry beyond the bound, and the acknowledgements, answers and beats that no bound holds back, bytes. */
const FRAMES_BEYOND_BYTES = 32_768;
/** How long a hub that closes waits for what is unanswered, ms. */
const CLOSE_TIMEOUT_MS = 10_000;
const GOING_AWAY = 4200;
/** Refusals that spend their seq (HF-6.4). */
const TERMINAL: ReadonlySet<string> = new Set(['FORBIDDEN', 'REFUSED', 'HEAD_MISMATCH', 'TOO_LARGE']);

export class Wiretap implements Tap {
  readonly #options: WiretapOptions;
  readonly #ledger: Ledger;
  readonly #verdict: Verdict;
  readonly #lines = new Map<string, Line>();
  /** The link that was welcomed last, by subject and client. */
  readonly #newest = new Map<string, string>();
  /** What was said for good, by epoch, topic, subject, producer and seq. */
  readonly #answers = new Map<string, string>();

  constructor(options: WiretapOptions) {
    this.#options = options;
    this.#ledger = options.ledger;
    this.#verdict = options.verdict;
  }

  /** A client sends this now; it may never arrive. */
  fromClient(link: string, frame: string | Uint8Array): void {
    if (typeof frame !== 'string') return;
    const message = JSON.parse(frame) as ClientMessage;
    const line = this.#line(link);
    if (message.type === 'hello') {
      line.client = message.client;
      for (const request of message.subscribe ?? []) this.#expect(line, request);
    }
    if (message.type === 'subscribe') this.#expect(line, message);
    if (message.type !== 'credit') return;
    const stream = line.streams.get(message.topic);
    const isMeant = stream !== undefined && (message.epoch ?? stream.place.epoch) === stream.place.epoch;
    if (isMeant) stream.creditUpTo = Math.max(stream.creditUpTo, message.upTo);
  }

  atServer(link: string, frame: string | Uint8Array): void {
    const line = this.#line(link);
    if (typeof frame !== 'string' || line.subject === undefined) return;
    const message = JSON.parse(frame) as ClientMessage;
    if (message.type === 'publish') line.unanswered.set(publishKey(message), this.#options.timeline.nowMs);
  }

  /** HF-8.3: a hub that ends in order has answered all that came. */
  serverCloses(link: string, code: number): void {
    const { server, timeline } = this.#options;
    const [first] = this.#line(link).unanswered.keys();
    const isInTime = timeline.nowMs < (server.drainsUntilMs ?? -Infinity) + CLOSE_TIMEOUT_MS;
    this.#verdict.expect(
      code !== GOING_AWAY || first === undefined || !isInTime,
      'goaway-still-accepts',
      () => `${link} is closed with ${first} unanswered`,
    );
  }

  /** A server sends this now. `bufferedBytes`: what waits before it. */
  fromServer(link: string, frame: string | Uint8Array, bufferedBytes: number): void {
    const { queueBytesMax } = this.#options;
    this.#verdict.expect(
      bufferedBytes <= queueBytesMax + FRAMES_BEYOND_BYTES,
      'queues-bounded',
      () => `${bufferedBytes} bytes are buffered for ${link}, which may hold ${queueBytesMax}`,
    );
    const line = this.#line(link);
    const message = parseServerFrame(frame, (number) => line.topics.get(number));
    if (message === undefined) return;
    const newest = line.subject === undefined ? link : this.#newest.get(`${line.client} ${line.subject}`);
    this.#verdict.expect(newest === link, 'one-connection', () => `${link} gets "${message.type}" after ${newest} was welcomed`);
    this.#take(line, message, link);
  }

  #take(line: Line, message: ServerMessage, link: string): void {
    switch (message.type) {
      case 'welcome':
        line.subject = message.subject;
        this.#newest.set(`${line.client} ${message.subject}`, link);
        return;
      case 'ack': {
        const { topic, epoch, offset, count = 1 } = message;
        line.unanswered.delete(publishKey(message));
        this.#answered(line, message, epoch, `ack ${offset}`);
        return this.#ledger.acknowledging(topic, epoch, offset + count - 1);
      }
      case 'error':
        return this.#error(line, message, link);
      case 'register':
        return this.#rights(line, message.topic, Infinity, link, 'a register');
      case 'presence':
        return this.#presence(line, message, link);
      case 'subscribed': {
        const windowCount = line.windows.get(message.id) ?? Infinity;
        line.topics.set(message.number, message.topic);
        if (message.presence === false) line.hidesMembers.add(message.topic);
        else line.hidesMembers.delete(message.topic);
        line.streams.set(message.topic, { place: message.position, windowCount, creditUpTo: message.position.offset + windowCount });
        return;
      }
      case 'entry':
        this.#rights(line, message.topic, message.offset, link, `entry ${message.offset}`);
        return this.#entry(line, message, link);
      case 'signal':
        this.#rights(line, message.topic, Infinity, link, 'a signal');
        return this.#signal(line.streams.get(message.topic)!, message, link);
      case 'skip': {
        const stream = line.streams.get(message.topic)!;
        stream.place = { ...stream.place, offset: message.last };
        return;
      }
      case 'gap': {
        const stream = line.streams.get(message.topic)!;
        // What was not used goes on behind the gap, and no more: a reader that stands still holds one window.
        stream.creditUpTo = message.after.offset + (stream.creditUpTo - stream.place.offset);
        stream.place = message.after;
        return;
      }
      case 'reply':
      case 'expiring':
      case 'goaway':
      case 'ping':
      case 'pong':
        return;
    }
  }

  /** HF-6.5: one answer for good to each publish of each log. */
  #answered(line: Line, { topic, producer, seq }: PublishName, epoch: string, answer: string): void {
    if (this.#options.isForgetful) return;
    const key = `${epoch} ${topic} ${line.subject} ${producer} ${seq}`;
    const before = this.#answers.get(key);
    this.#verdict.expect(
      before === undefined || before === answer,
      'same-answer',
      () => `seq ${seq} of ${producer} in ${topic} gets "${answer}" after "${before}"`,
    );
    this.#answers.set(key, answer);
  }

  #error(line: Line, { code, topic, producer, seq }: ErrorMessage, link: string): void {
    if (topic === undefined || producer === undefined || seq === undefined) return;
    const publish = { topic, producer, seq };
    const cameAtMs = line.unanswered.get(publishKey(publish)) ?? Infinity;
    const { drainsUntilMs = -Infinity } = this.#options.server;
    this.#verdict.expect(
      code !== 'GOING_AWAY' || cameAtMs >= drainsUntilMs,
      'goaway-still-accepts',
      () => `${link} came with ${publishKey(publish)} ${drainsUntilMs - cameAtMs} ms before the drain was over, and is refused`,
    );
    line.unanswered.delete(publishKey(publish));
    // HF-6.4: of a topic that does not exist refusals are not durable; and of one that began anew it cannot be told which log was meant.
    const log = this.#ledger.current(topic);
    if (TERMINAL.has(code) && log !== undefined && !this.#ledger.isRenewed(topic)) this.#answered(line, publish, log.epoch, code);
  }

  /** HF-5.10. `offset`: what a floor is compared with. */
  #rights(line: Line, topic: string, offset: number, link: string, what: string): void {
    const { rights, server } = this.#options;
    const why = rights.forbids('subscribe', line.subject ?? '', topic, offset, server.nowMs);
    this.#verdict.expect(why === undefined, 'rights-kept', () => `${link} of ${line.subject} is sent ${what} of ${topic}: ${why}`);
  }

  /** HF-7.6: whoever was told that members are hidden hears of none until the right is there again. */
  #presence(line: Line, message: Extract<ServerMessage, { type: 'presence' }>, link: string): void {
    const { topic, event } = message;
    const { rights, server } = this.#options;
    const isForbidden = rights.forbids('members', line.subject ?? '', topic, Infinity, server.nowMs) !== undefined;
    if (event === 'members') {
      if (isForbidden && message.members.length === 0) line.hidesMembers.add(topic);
      else line.hidesMembers.delete(topic);
      return;
    }
    this.#rights(line, topic, Infinity, link, 'a member');
    this.#verdict.expect(
      !isForbidden || !line.hidesMembers.has(topic),
      'rights-kept',
      () => `${link} of ${line.subject} hears of a member of ${topic}, who are hidden from it`,
    );
  }

  #entry(line: Line, { topic, offset, data }: EntryMessage, link: string): void {
    const stream = line.streams.get(topic)!;
    const { epoch } = stream.place;
    this.#verdict.expect(
      contentOf(data).hiddenFrom !== line.subject,
      'hidden-stays-hidden',
      () => `${link} of ${line.subject} is sent ${offset} of ${topic}, which is hidden from it`,
    );
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

  #expect(line: Line, { id, credit = Infinity }: SubscribeRequest): void {
    line.windows.set(id, credit);
  }

  #line(link: string): Line {
    let line = this.#lines.get(link);
    if (line === undefined) {
      const maps = { streams: new Map(), topics: new Map(), windows: new Map(), unanswered: new Map(), hidesMembers: new Set<string>() };
      this.#lines.set(link, (line = { client: '', subject: undefined, ...maps }));
    }
    return line;
  }
}

type PublishName = Pick<Extract<ClientMessage, { type: 'publish' }>, 'topic' | 'producer' | 'seq'>;

function publishKey({ topic, producer, seq }: PublishName): string {
  return `${topic} ${producer}/${seq}`;
}
