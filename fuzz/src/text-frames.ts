/**
 * Target: what clients send, into a real hub with a memory store (PROTOCOL.md HF-3 to HF-9). Three connections to one input,
 * one of them plain; time, back-pressure and cuts between the frames; a witness beside them. Nothing may be stored that
 * nobody published, everything must be answered with a documented code, and nothing may be left of who has gone.
 */

import { HoldfastError, isJsonObject, isTopicName, type Json } from '@holdfast/wire';
import {
  createHub,
  createMemoryDisk,
  createMemoryStore,
  Endpoint,
  type EndpointOptions,
  type Hub,
  type MemoryDisk,
} from '@holdfast/server';
import { binaryPublish, helloText, messageText } from './client-grammar.ts';
import { canonical } from './canonical-json.ts';
import { Chance } from './chance.ts';
import { textOf, textStep, type Input, type Step } from './input.ts';
import { Peer } from './peer.ts';
import { asError, demand, type Target, type World } from './target.ts';
import { VirtualClock } from './virtual-clock.ts';
import { Witness, WITNESS_TOPIC } from './witness.ts';

/** Small, so that they are reached. */
const LIMITS = {
  frameBytesMax: 65_536,
  inFlightMax: 8,
  topicsPerFrameMax: 64,
  subscriptionsMax: 4,
  entriesPerPublishMax: 4,
  readCountMax: 4,
  requestsMax: 8,
  depthMax: 8,
  keysMax: 1_024,
  queueBytesMax: 4_096,
  membersMax: 3,
  connectionRequestsPerSecond: 50,
};
const PAUSES_MS = [0, 1, 100, 600, 15_000, 31_000, 80_000, 3_600_000];
const PEERS = 3;
/** What the hooks of the application throw on purpose. */
class Expected extends Error {}

const ENDPOINT: EndpointOptions = {
  authenticate: ({ token }) => {
    if (token === 'witness' || token === 'alice' || token === 'bob') return { subject: token };
    if (token === 'short') return { subject: 'alice', expiresAtMs: 1_767_225_600_000 + 7_200_000 };
    if (token === 'broken') throw new Expected('authenticate');
    throw new HoldfastError('UNAUTHENTICATED');
  },
  // Sometimes slow, sometimes broken, sometimes refusing.
  authorize: async ({ topic, action, identity }) => {
    if (action === 'read') await Promise.resolve();
    if (topic === WITNESS_TOPIC) return identity.subject === 'witness';
    if (topic === 'locked') throw new Expected('authorize');
    return topic !== 'u' || action !== 'publish' ? true : { floor: 2 };
  },
  methods: { echo: (data) => data, fail: () => Promise.reject(new Expected('method')), hang: () => new Promise(() => undefined) },
};

class TextFrames implements World {
  readonly #clock = new VirtualClock();
  readonly #disk: MemoryDisk = createMemoryDisk();
  readonly #endpoint = new Endpoint(ENDPOINT);
  readonly #plain: Endpoint;
  readonly #hub: Hub;
  readonly #witness: Witness;
  readonly #faults: Error[] = [];
  /** The payloads that were sent in anything like a publish. */
  readonly #sent = new Set<string>();
  #sentCount = 0;

  constructor() {
    const store = createMemoryStore({ disk: this.#disk, outcomesMax: LIMITS.inFlightMax });
    this.#hub = createHub({
      store,
      topics: [
        { pattern: 'moody', kind: { name: 'moody', isVisible: ({ offset }) => offset % 2 === 0 } },
        { pattern: 'a/:b', retention: { countMax: 2 } },
        { pattern: '*' },
      ],
      limits: LIMITS,
      clock: this.#clock,
      random: new Chance(1, 'hub').next,
      memory: () => 0,
      onError: (error) => {
        if (!(error instanceof Expected)) this.#faults.push(asError(error));
      },
    });
    this.#plain = new Endpoint({
      authenticate: () => ({ subject: 'plain' }),
      authorize: ({ topic }) => topic !== 'locked' && topic !== WITNESS_TOPIC,
      plain: {
        messages: {
          publish: async ({ topic, data = null }, client) => void (await client.publish(topic as string, data)),
          subscribe: ({ topic }, client) => client.follow(topic as string, { last: 3 }, (item) => client.send(item as unknown as Json)),
          ping: () => Promise.reject(new Expected('handler')),
        },
        bytes: (bytes, client) => client.send(bytes),
      },
    });
    this.#witness = new Witness(this.#hub, this.#endpoint);
  }

  async take(input: Input): Promise<void> {
    const peers: (Peer | undefined)[] = [];
    for (const step of input) {
      const at = step.op % PEERS;
      const peer = (peers[at] ??= this.#connect(at));
      await this.#do(step, peer, () => (peers[at] = undefined));
    }
    await this.#clock.settle();
    for (const peer of peers) {
      peer?.drop();
      peer?.assertSound();
    }
    await this.#clock.settle();
    this.#assertNoFault();
  }

  #connect(at: number): Peer {
    const isProtocol = at !== PEERS - 1;
    const peer = new Peer(isProtocol, () => {});
    const endpoint = isProtocol ? this.#endpoint : this.#plain;
    this.#hub.accept(peer, { endpoint, address: '127.0.0.1', headers: {}, url: '/', protocols: [], isProtocol });
    return peer;
  }

  async #do(step: Step, peer: Peer, forget: () => void): Promise<void> {
    const kind = Math.floor(step.op / PEERS) % 16;
    if (kind === 15) return this.#clock.settle();
    if (kind === 14) return this.#pass(PAUSES_MS[(step.bytes[0] ?? 0) % PAUSES_MS.length]!);
    if (kind === 13) return void (peer.bufferedBytes = step.bytes.length === 0 ? 0 : LIMITS.queueBytesMax + 1);
    if (kind === 12) return peer.drain();
    if (kind === 11) {
      peer.drop(1000);
      peer.assertSound();
      return forget();
    }
    // What is larger never comes so far: the socket closes with 1009.
    if (step.bytes.length > LIMITS.frameBytesMax) return peer.drop(1009);
    const frame = kind >= 9 ? step.bytes.slice() : textOf(step);
    this.#note(frame);
    peer.receive(frame);
    peer.assertSound();
  }

  /** An hour in pieces: the witness answers its heartbeat. */
  async #pass(ms: number): Promise<void> {
    for (let left = Math.min(ms, 90_000); left > 0; left -= 20_000) {
      this.#witness.beat();
      await this.#clock.advance(Math.min(left, 20_000));
    }
  }

  /** Keeps what could be meant to be stored; in case of doubt too much. */
  #note(frame: string | Uint8Array): void {
    if (typeof frame !== 'string') {
      this.#sentCount += 1;
      return void this.#sent.add('bytes');
    }
    let message: unknown;
    try {
      message = JSON.parse(frame);
    } catch {
      return;
    }
    if (!isJsonObject(message) || message['type'] !== 'publish') return;
    // Both: a plain client's handler here does not know of `entries`.
    const entries = Array.isArray(message['entries']) ? (message['entries'] as readonly Json[]) : [];
    for (const item of [message, ...entries]) this.#noteItem(item);
  }

  #noteItem(item: Json): void {
    this.#sentCount += 1;
    if (isJsonObject(item))
      this.#sent.add(item['data'] === undefined ? (typeof item['bytes'] === 'string' ? 'bytes' : 'null') : canonical(item['data']));
  }

  async check(): Promise<void> {
    this.#witness.beat();
    await this.#clock.advance(1_000);
    await this.#witness.speak(() => this.#clock.settle());
    this.#assertStore();
    await this.#pass(80_000);
    const { connections, unansweredPublishes, members, waitingReads, subscriptions } = this.#hub.stats();
    const left = { connections, unansweredPublishes, members, waitingReads, subscriptions, lanes: this.#hub.services.intake.laneCount };
    const none = { connections: 1, unansweredPublishes: 0, members: 0, waitingReads: 0, subscriptions: 1, lanes: 0 };
    demand(JSON.stringify(left) === JSON.stringify(none), () => `something is left of those who have gone: ${JSON.stringify(left)}`);
    this.#assertNoFault();
  }

  #assertStore(): void {
    let count = 0;
    for (const [topic, { entries }] of this.#disk.topics) {
      if (topic === WITNESS_TOPIC) continue;
      demand(isTopicName(topic), () => `a topic "${topic}" is founded, which is no name of one`);
      demand(topic !== 'locked' || entries.length === 0, () => 'what was forbidden was stored');
      for (const { from, payload } of entries) {
        count += 1;
        demand(['alice', 'bob', 'plain'].includes(from), () => `an entry of "${from}", who is nobody`);
        const text = typeof payload === 'string' ? canonical(JSON.parse(payload) as Json) : 'bytes';
        demand(this.#sent.has(text), () => `stored, and never published: ${text.slice(0, 200)}`);
      }
    }
    demand(count <= this.#sentCount, () => `${count} entries are stored, of ${this.#sentCount} that were published`);
  }

  #assertNoFault(): void {
    const [fault] = this.#faults;
    if (fault !== undefined) throw fault;
  }

  async close(): Promise<void> {
    this.#witness.leave();
    const closed = this.#hub.close();
    await this.#clock.advance(60_000);
    await closed;
    this.#assertNoFault();
    demand(this.#clock.alarmCount === 0, () => `${this.#clock.alarmCount} timers are left of a closed hub`);
  }
}

function step(chance: Chance): Step {
  const at = chance.is(0.75) ? 0 : chance.below(PEERS);
  const kind = chance.is(0.7) ? chance.below(9) : 9 + chance.below(7);
  const op = at + PEERS * kind;
  if (kind >= 11) return { op, bytes: Uint8Array.of(chance.below(8)) };
  return kind >= 9 ? { op, bytes: binaryPublish(chance) } : textStep(op, messageText(chance));
}

function generate(chance: Chance): Input {
  const greetings = [0, 1].filter((at) => chance.is(at === 0 ? 0.95 : 0.4)).map((at) => textStep(at, helloText(chance)));
  return [...greetings, ...Array.from({ length: 1 + chance.below(8) }, () => step(chance))];
}

export const TEXT_FRAMES: Target = {
  name: 'text-frames',
  does: 'frames of three clients into a hub, before and after `hello`, with time, cuts and back-pressure between them',
  share: 0.25,
  worldInputs: 256,
  open: () => Promise.resolve(new TextFrames()),
  generate,
  step,
};
