/**
 * Target: a hostile server, against the real client over sockets in memory (PROTOCOL.md HF-4.1, HF-5.8, HF-8). Whatever it says and
 * whenever it closes: nothing is thrown out of the client, every promise settles with a documented error, an ended client has
 * neither a socket nor a timer left.
 */

import { createClient, HoldfastError, type Client, type ClientSocket, type SocketEvents, type TopicReader } from '@holdfast/client';
import { ERROR_CODES } from '@holdfast/wire';
import { Chance } from './chance.ts';
import { textOf, textStep, type Input, type Step } from './input.ts';
import { HonestServer } from './honest-server.ts';
import { binaryEntry, serverText, welcomeText } from './server-grammar.ts';
import { demand, type Target, type World } from './target.ts';
import { VirtualClock } from './virtual-clock.ts';

const PHASES = ['idle', 'connecting', 'open', 'suspect', 'waiting', 'offline', 'closed'];
const PAUSES_MS = [0, 1, 150, 2_000, 11_000, 30_000, 60_000, 600_000];
const CLOSE_CODES = [1000, 1001, 1006, 1009, 1011, 4000, 4001, 4002, 4100, 4200, 4201, 4202, 4300, 4399, 3000, 0];
const TOPICS = ['t', 'u', 'a/b'];
/** Bytes that a client may have sent for one input: it never answers without bound. */
const SENT_MAX = 2_000;

/** The last socket that the client opened, and how many there are. */
class Network {
  events: SocketEvents | undefined;
  openCount = 0;
  sentCount = 0;
  /** Every frame of the client can be understood: `hear` throws otherwise. */
  readonly honest = new HonestServer();

  readonly open = (_url: string, _options: unknown, events: SocketEvents): ClientSocket => {
    this.events = events;
    this.honest.forget();
    this.openCount += 1;
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.openCount -= 1;
      isOver = true;
      if (this.events === events) this.events = undefined;
    };
    const guarded: SocketEvents = {
      onOpen: (protocol) => !isOver && events.onOpen(protocol),
      onMessage: (frame) => !isOver && events.onMessage(frame),
      onClose: (close) => {
        if (isOver) return;
        end();
        events.onClose(close);
      },
    };
    this.events = guarded;
    const over = (): void => {
      if (this.events === guarded) this.events = undefined;
      end();
    };
    queueMicrotask(() => guarded.onOpen('holdfast.v1'));
    return { bufferedBytes: 0, send: (frame) => this.#send(frame), pause: () => false, resume: () => {}, close: over, abandon: over };
  };

  #send(frame: string | Uint8Array): void {
    this.sentCount += 1;
    this.honest.hear(frame);
  }
}

class ClientFrames implements World {
  readonly #clock = new VirtualClock();

  async take(input: Input): Promise<void> {
    const network = new Network();
    const promises: Promise<unknown>[] = [];
    const client = createClient({
      url: ['ws://one', 'ws://two'],
      token: () => 'alice',
      socket: network.open,
      clock: this.#clock,
      random: new Chance(1, 'client').next,
      lifecycle: () => () => {},
      window: 8,
      outboxCountMax: 20,
    });
    const readers: TopicReader[] = [];
    const ask = (promise: Promise<unknown>): void => void promises.push(promise.catch(assertRefusal));
    await this.#clock.settle();
    for (const step of input) await this.#do(step, client, network, readers, ask);
    await this.#clock.settle();
    assertLegal(client, network);
    const closed = client.close();
    await this.#clock.advance(20_000);
    await closed;
    await Promise.all(promises);
    demand(network.openCount === 0, () => `${network.openCount} sockets of a closed client are open`);
    demand(this.#clock.alarmCount === 0, () => `${this.#clock.alarmCount} timers are left of a closed client`);
  }

  async #do(step: Step, client: Client, network: Network, readers: TopicReader[], ask: (promise: Promise<unknown>) => void): Promise<void> {
    const kind = step.op % 16;
    const topic = client.topic(TOPICS[(step.bytes[0] ?? 0) % TOPICS.length]!);
    const choice = step.bytes[1] ?? 0;
    switch (kind) {
      case 15:
        return this.#clock.settle();
      case 14:
        return this.#clock.advance(PAUSES_MS[(step.bytes[0] ?? 0) % PAUSES_MS.length]!);
      case 13: {
        const code = CLOSE_CODES[(step.bytes[0] ?? 0) % CLOSE_CODES.length]!;
        network.events?.onClose({ code, reason: textOf(step).slice(1), clean: code !== 1006 });
        return this.#clock.settle();
      }
      case 9:
        for (const frame of network.honest.answers()) network.events?.onMessage(frame);
        return this.#clock.settle();
      case 8:
        return network.events?.onMessage(network.honest.entry(topic.name, textOf(step).slice(0, 100)));
      case 12:
        try {
          act(client, topic, choice, readers, ask);
        } catch (error) {
          // What the server's own limits make impossible is refused at once.
          assertRefusal(error);
        }
        return this.#clock.settle();
      case 11:
        network.events?.onMessage(step.bytes.slice());
        return;
      default:
        network.events?.onMessage(textOf(step));
        if (kind === 10) return this.#clock.settle();
    }
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** What an application does in between. */
function act(
  client: Client,
  topic: ReturnType<Client['topic']>,
  choice: number,
  readers: TopicReader[],
  ask: (promise: Promise<unknown>) => void,
): void {
  switch (choice % 14) {
    case 0:
    case 1:
    case 2:
      return ask(topic.publish({ n: choice }, { deadlineMs: 5_000 }));
    case 3:
      return ask(topic.publish(Uint8Array.of(choice), { deadlineMs: 5_000 }));
    case 4:
    case 5: {
      const reader = topic.items(choice > 60 ? { last: 3 } : choice > 30 ? { position: { epoch: 'x', offset: 1, revision: 0 } } : {});
      readers.push(reader);
      return ask(drain(reader));
    }
    case 6:
      return ask(topic.read({ after: 0, deadlineMs: 5_000 }));
    case 7:
      return ask(client.call('m', null, { deadlineMs: 5_000 }));
    case 8:
      return ask(topic.enter({ here: true }));
    case 9:
      return ask(choice > 100 ? topic.set('k', 1, { deadlineMs: 5_000 }) : topic.raise('k', 1, { deadlineMs: 5_000 }));
    case 10:
      topic.signal('s');
      return;
    case 11:
      return void topic.view().getSnapshot();
    case 12:
      return choice > 100 ? client.retryNow() : choice > 50 ? client.pause() : client.resume();
    default:
      return ask(client.authenticate());
  }
}

/** Reads until the client ends. */
async function drain(reader: TopicReader): Promise<void> {
  for await (const item of reader) void item;
}

function assertRefusal(error: unknown): void {
  demand(error instanceof HoldfastError, () => `a promise is rejected with ${error instanceof Error ? error.stack : String(error)}`);
  demand(Object.hasOwn(ERROR_CODES, error.code) || error.code.length > 0, () => `a promise is rejected with "${error.code}"`);
}

function assertLegal(client: Client, network: Network): void {
  const { phase, queuedCount, uncertainCount } = client.status.getSnapshot();
  demand(PHASES.includes(phase), () => `the phase is "${phase}"`);
  demand(queuedCount >= 0 && queuedCount <= 20 && uncertainCount >= 0, () => `${queuedCount} queued, ${uncertainCount} uncertain`);
  demand(network.sentCount <= SENT_MAX, () => `the client answered with ${network.sentCount} frames`);
  // One for the connection, one that scouts the preferred address.
  demand(network.openCount <= 2, () => `${network.openCount} sockets are open`);
}

function step(chance: Chance): Step {
  const kind = chance.is(0.75) ? chance.below(11) : 11 + chance.below(5);
  if (kind === 8 || kind === 9) return { op: kind, bytes: chance.bytes(1 + chance.below(4)) };
  if (kind === 11) return { op: kind, bytes: binaryEntry(chance) };
  return kind > 11 ? { op: kind, bytes: chance.bytes(2) } : textStep(kind, serverText(chance));
}

function generate(chance: Chance): Input {
  const acts = Array.from({ length: chance.below(4) }, () => ({ op: 12, bytes: chance.bytes(2) }));
  const greeting = chance.is(0.5) ? [{ op: 9, bytes: new Uint8Array() }] : chance.is(0.9) ? [textStep(10, welcomeText(chance))] : [];
  return [
    ...(chance.is(0.5) ? [...acts, ...greeting] : [...greeting, ...acts]),
    ...Array.from({ length: 1 + chance.below(9) }, () => step(chance)),
  ];
}

export const CLIENT_FRAMES: Target = {
  name: 'client-frames',
  does: 'frames and closes of a hostile server into the real client, while an application uses it',
  share: 0.2,
  worldInputs: 512,
  open: () => Promise.resolve(new ClientFrames()),
  generate,
  step,
};
