/** The answers that a server owes for what a client has said: between them a hostile one says what it likes, in a session that goes on. */

import {
  DEFAULT_LIMITS,
  encodeEntryBinary,
  encodeEntryText,
  encodeServerMessage,
  parseClientFrame,
  type ClientMessage,
} from '@holdfast/wire';

const EPOCH = 'x';
/** Frames that wait for an answer at the most; more are forgotten. */
const WAITING_MAX = 64;

export class HonestServer {
  #waiting: ClientMessage[] = [];
  /** The last offset of each topic that was subscribed to, or published to. */
  readonly #heads = new Map<string, number>();

  /** A frame of the client. */
  hear(frame: string | Uint8Array): void {
    const message = parseClientFrame(frame, { ...DEFAULT_LIMITS, keysMax: Infinity }, (number) => `n${number}`);
    if (this.#waiting.length < WAITING_MAX) this.#waiting.push(message);
  }

  /** A new connection: what was asked on the old one is asked again. */
  forget(): void {
    this.#waiting = [];
  }

  /** What it owes for everything that it has heard. */
  answers(): (string | Uint8Array)[] {
    return this.#waiting.splice(0).flatMap((message) => this.#answer(message));
  }

  /** The next entry of a topic. */
  entry(topic: string, text: string): string | Uint8Array {
    const offset = this.#next(topic);
    const entry = { offset, producer: 'other', seq: offset, from: 'bob', at: 1 };
    if (text.length % 4 === 0) return encodeEntryBinary(numberOf(topic), entry, Uint8Array.of(offset));
    return encodeEntryText(topic, entry, JSON.stringify(text));
  }

  #next(topic: string, count = 1): number {
    const offset = (this.#heads.get(topic) ?? 0) + 1;
    this.#heads.set(topic, offset + count - 1);
    return offset;
  }

  #answer(message: ClientMessage): (string | Uint8Array)[] {
    switch (message.type) {
      case 'hello': {
        const welcome = {
          type: 'welcome',
          session: 's',
          subject: 'alice',
          heartbeatMs: 25_000,
          spreadMs: 100,
          time: 1,
          limits: DEFAULT_LIMITS,
        } as const;
        return [encodeServerMessage(welcome), ...(message.subscribe ?? []).flatMap((one) => this.#answer({ type: 'subscribe', ...one }))];
      }
      case 'subscribe': {
        const { id, topic, position } = message;
        const place = position ?? { epoch: EPOCH, offset: this.#heads.get(topic) ?? 0, revision: 0 };
        this.#heads.set(topic, place.offset);
        return [encodeServerMessage({ type: 'subscribed', id, topic, number: numberOf(topic), position: place, head: place.offset })];
      }
      case 'publish': {
        const { topic, producer, seq, items } = message;
        const offset = this.#next(topic, items.length);
        const entries = items.map((data, at) => {
          const entry = { offset: offset + at, producer, seq, from: 'alice', at: 1 };
          return data instanceof Uint8Array
            ? encodeEntryBinary(numberOf(topic), entry, data)
            : encodeEntryText(topic, entry, JSON.stringify(data));
        });
        return [
          ...entries,
          encodeServerMessage({
            type: 'ack',
            topic,
            producer,
            seq,
            offset,
            epoch: EPOCH,
            ...(items.length === 1 ? {} : { count: items.length }),
          }),
        ];
      }
      case 'register': {
        const { id, topic, key, value } = message;
        return [
          encodeServerMessage({ type: 'register', topic, key, value, revision: 1 }),
          encodeServerMessage({ type: 'reply', id, data: { key, value, revision: 1 } }),
        ];
      }
      case 'read':
        return [encodeServerMessage({ type: 'reply', id: message.id, data: { epoch: EPOCH, first: 1, last: 0, entries: [] } })];
      case 'auth':
        return [encodeServerMessage({ type: 'reply', id: message.id, data: { subject: 'alice' } })];
      case 'call':
      case 'unsubscribe':
      case 'presence':
        return message.id === undefined ? [] : [encodeServerMessage({ type: 'reply', id: message.id, data: null })];
      case 'ping':
        return [encodeServerMessage({ type: 'pong' })];
      case 'pong':
      case 'credit':
      case 'signal':
        return [];
    }
  }
}

function numberOf(topic: string): number {
  return topic.length;
}
