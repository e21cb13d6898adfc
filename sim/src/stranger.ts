/**
 * A stranger who speaks the protocol by hand and is no good reader: subscribes to everything from the beginning, gives
 * little credit or none, some of it for logs that are none, and takes in what it is sent over a thin line.
 */

import type { ClientSocket } from '@holdfast/client';
import type { Network } from './network.ts';
import { Process } from './process.ts';
import type { Chance } from './random.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

export interface StrangerOptions {
  readonly name: string;
  readonly topics: readonly string[];
  /** What each subscription may be sent at first, entries. */
  readonly credit: number;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly network: Network;
}

/** Its subject; nothing is hidden from it, and no right of it is taken. */
const SUBJECT = 'mallory';

export class Stranger {
  readonly #options: StrangerOptions;
  readonly #process: Process;
  #socket: ClientSocket | undefined;

  constructor(options: StrangerOptions) {
    const { name, timeline, chance, network } = options;
    this.#options = options;
    this.#process = new Process(name, timeline, chance, { skewMs: 0 });
    const quality = { latencyMs: 5, jitterMs: 5, bytesPerMs: chance.logarithmic(0.05, 100) };
    const open = network.socketFactory(this.#process, { quality, connects: 'accepted' });
    this.#socket = open(
      'ws://simulated',
      { protocols: ['holdfast.v1'] },
      {
        onOpen: () => this.#greet(),
        onMessage: (frame) => this.#take(frame),
        onClose: () => (this.#socket = undefined),
      },
    );
  }

  /** It is gone, without a word. */
  end(): void {
    this.#process.kill();
    this.#options.network.bury(this.#process, false);
  }

  #greet(): void {
    const { name, topics, credit } = this.#options;
    const subscribe = topics.map((topic, id) => ({ id, topic, last: 1_000_000, credit: Math.floor(credit) }));
    this.#say({ type: 'hello', client: name, token: SUBJECT, subscribe });
  }

  #take(frame: string | Uint8Array): void {
    if (typeof frame !== 'string') return;
    const { chance, topics } = this.#options;
    const message = JSON.parse(frame) as { type: string; topic?: string; position?: { epoch: string; offset: number } };
    if (message.type === 'ping') this.#say({ type: 'pong' });
    if (message.type !== 'subscribed' || !chance.is(0.5)) return;
    const { epoch, offset } = message.position!;
    // Less than it has, as much as anybody could want of another log, and a little more.
    this.#say({ type: 'credit', topic: message.topic, upTo: Math.max(0, offset - 1), epoch });
    this.#say({ type: 'credit', topic: message.topic, upTo: 1_000_000, epoch: 'none-such' });
    this.#say({ type: 'credit', topic: chance.pick(topics), upTo: 1, epoch });
    this.#say({ type: 'credit', topic: message.topic, upTo: offset + chance.integer(0, 10), epoch });
  }

  #say(message: object): void {
    this.#socket?.send(JSON.stringify(message));
  }
}
