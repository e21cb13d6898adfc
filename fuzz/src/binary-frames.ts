/**
 * Target: the codecs alone, both ways (PROTOCOL.md HF-1.6, HF-4.1, HF-9). What can be read can be written and read again as the
 * same; what cannot is refused with a code of HF-4.1 and nothing else.
 */

import {
  ClientSession,
  decodeBase64,
  DEFAULT_LIMITS,
  encodeBase64,
  encodeClientMessage,
  encodeEntryBinary,
  encodeEntryText,
  HoldfastError,
  isErrorCode,
  parseClientFrame,
  parseServerFrame,
  ProtocolError,
  ServerSession,
  utf8Length,
  type EntryMessage,
} from '@holdfast/wire';
import { canonical } from './canonical-json.ts';
import type { Chance } from './chance.ts';
import { binaryPublish, helloText, messageText } from './client-grammar.ts';
import { textOf, textStep, type Input, type Step } from './input.ts';
import { binaryEntry, serverText, welcomeText } from './server-grammar.ts';
import { demand, type Target, type World } from './target.ts';

const CODES: ReadonlySet<string> = new Set([
  'BAD_JSON',
  'BAD_FRAME',
  'UNKNOWN_TYPE',
  'TOO_DEEP',
  'TOO_MANY_KEYS',
  'FORBIDDEN_KEY',
  'BAD_BINARY',
]);
const topicOf = (number: number): string | undefined => (number === 1 ? 't' : number === 2 ? 'u' : undefined);

/** What a parser gives, or `undefined` where it refuses as it may. */
function attempt<Result>(parse: () => Result): Result | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    demand(CODES.has(error.code), () => `refused with ${error.code}: ${error.message}`);
    return undefined;
  }
}

function clientFrame(frame: string | Uint8Array): void {
  const message = attempt(() => parseClientFrame(frame, DEFAULT_LIMITS, topicOf));
  // A subscribe that lacks a revision is written with one; a frame may be too large for a varint.
  if (message === undefined || (message.type === 'publish' && message.ifHead === Number.MAX_SAFE_INTEGER)) return;
  const again = encodeClientMessage(message);
  const parsed = parseClientFrame(again, DEFAULT_LIMITS, topicOf);
  demand(sameMeaning(message, parsed), () => `read as ${JSON.stringify(message)}, written and read again as ${JSON.stringify(parsed)}`);
}

/** -0 is 0 (HF-1.7), and a field that is `undefined` is none. */
function sameMeaning(one: unknown, other: unknown): boolean {
  return canonical(one) === canonical(other);
}

function serverFrame(frame: string | Uint8Array): void {
  const message = attempt(() => parseServerFrame(frame, topicOf));
  if (message?.type !== 'entry') return;
  const { type: _type, topic, data, ...entry } = message;
  const again =
    data instanceof Uint8Array
      ? encodeEntryBinary(topic === 'u' ? 2 : 1, entry, data)
      : encodeEntryText(topic, entry, JSON.stringify(data));
  const parsed = parseServerFrame(again, topicOf) as EntryMessage;
  const isSame = sameMeaning({ ...parsed, topic: '' }, { ...message, topic: '' });
  demand(
    isSame || !isWellFormed(entry.from),
    () => `read as ${JSON.stringify(message)}, written and read again as ${JSON.stringify(parsed)}`,
  );
}

/** A lone surrogate becomes U+FFFD in UTF-8, and both ends say so. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

function base64(text: string): void {
  const bytes = attempt(() => decodeBase64(text));
  if (bytes === undefined) return;
  demand(
    encodeBase64(bytes) === text && Buffer.from(bytes).equals(Buffer.from(text, 'base64')),
    () => `base64 is read as it is not written: ${text}`,
  );
}

class BinaryFrames implements World {
  take(input: Input): Promise<void> {
    const server = new ServerSession({ limits: DEFAULT_LIMITS, topicOf });
    const client = new ClientSession();
    client.hello({ type: 'hello', client: 'c' });
    for (const step of input) {
      const kind = step.op % 6;
      const frame = kind % 2 === 0 ? step.bytes.slice() : textOf(step);
      if (kind < 2) {
        clientFrame(frame);
        this.#serve(server, frame);
      } else if (kind < 4) {
        serverFrame(frame);
        this.#hear(client, frame);
      } else this.#measure(textOf(step));
    }
    return Promise.resolve();
  }

  #serve(session: ServerSession, frame: string | Uint8Array): void {
    const before = session.phase;
    const received = session.receive(frame);
    if (received.kind === 'violation')
      demand(isErrorCode(received.error.code), () => `the error "${received.error.code}" is not documented`);
    if (session.phase === 'welcoming') session.welcomed();
    demand((before === 'closed') === (received.kind === 'ignored'), () => `${received.kind} in phase ${before}`);
  }

  #hear(session: ClientSession, frame: string | Uint8Array): void {
    try {
      session.receive(frame);
    } catch (error) {
      demand(
        error instanceof ProtocolError && error.side === 'remote' && session.phase === 'closed',
        () => `phase ${session.phase}: ${String(error)}`,
      );
    }
  }

  #measure(text: string): void {
    base64(text);
    demand(utf8Length(text) === Buffer.byteLength(text), () => `utf8Length("${text}")`);
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function step(chance: Chance): Step {
  const op = chance.below(6);
  switch (op) {
    case 0:
      return { op, bytes: binaryPublish(chance) };
    case 1:
      return textStep(op, messageText(chance));
    case 2:
      return { op, bytes: binaryEntry(chance) };
    case 3:
      return textStep(op, serverText(chance));
    default:
      return textStep(op, encodeBase64(chance.bytes(chance.below(20))));
  }
}

function generate(chance: Chance): Input {
  const greetings = [
    ...(chance.is(0.5) ? [textStep(1, helloText(chance))] : []),
    ...(chance.is(0.5) ? [textStep(3, welcomeText(chance))] : []),
  ];
  return [...greetings, ...Array.from({ length: 1 + chance.below(6) }, () => step(chance))];
}

export const BINARY_FRAMES: Target = {
  name: 'binary-frames',
  does: 'the codecs of both sides, binary and text, and the two session machines: read, written, read again',
  share: 0.4,
  worldInputs: 4_096,
  open: () => Promise.resolve(new BinaryFrames()),
  generate,
  step,
};
