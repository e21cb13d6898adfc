/** Who behaves, beside those who do not: publishes to a topic of its own and reads back what it published, in order. */

import { ClientSession, type ServerMessage } from '@holdfast/wire';
import type { Endpoint, Hub } from '@holdfast/server';
import { Peer } from './peer.ts';
import { demand } from './target.ts';

export const WITNESS_TOPIC = 'quiet';

export class Witness {
  readonly #session = new ClientSession();
  readonly #peer: Peer;
  #inbox: ServerMessage[] = [];
  #seq = 0;

  constructor(hub: Hub, endpoint: Endpoint) {
    this.#peer = new Peer(true, (_message, frame) => {
      const message = this.#session.receive(frame);
      if (message !== undefined) this.#inbox.push(message);
    });
    hub.accept(this.#peer, { endpoint, address: '127.0.0.2', headers: {}, url: '/', protocols: [], isProtocol: true });
    const subscribe = [{ id: 1, topic: WITNESS_TOPIC, last: 0 }];
    this.#peer.receive(this.#session.hello({ type: 'hello', client: 'witness', token: 'witness', subscribe }));
  }

  /** How much it has published. */
  get publishedCount(): number {
    return this.#seq;
  }

  /** Publishes one entry, and throws unless it is acknowledged and comes back in its place. `settle` lets the hub work. */
  async speak(settle: () => Promise<void>): Promise<void> {
    await settle();
    this.#inbox = [];
    const seq = ++this.#seq;
    this.#peer.receive(this.#session.send({ type: 'publish', topic: WITNESS_TOPIC, producer: 'witness', seq, items: [{ said: seq }] }));
    await settle();
    this.#peer.assertSound();
    const said = JSON.stringify(this.#inbox).slice(0, 500);
    const ack = this.#inbox.find(({ type }) => type === 'ack');
    const entry = this.#inbox.find(({ type }) => type === 'entry');
    demand(ack?.type === 'ack' && ack.seq === seq && ack.offset === seq, () => `the witness is not acknowledged: ${said}`);
    const isBack = entry?.type === 'entry' && entry.offset === seq && JSON.stringify(entry.data) === `{"said":${seq}}`;
    demand(isBack, () => `the witness does not read back what it published: ${said}`);
  }

  /** Answers the heartbeat. */
  beat(): void {
    this.#peer.receive('{"type":"pong"}');
  }

  leave(): void {
    this.#peer.drop(1000);
  }
}
