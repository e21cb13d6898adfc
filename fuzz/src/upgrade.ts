/**
 * Target: raw upgrade requests and raw WebSocket frames over real TCP connections (RFC 6455; PROTOCOL.md HF-2, HF-4.3). The first step
 * is the request, the others are frames. Frames of the server are read strictly: legal, unmasked, closed with a legal code.
 */

import { createHash } from 'node:crypto';
import type { Chance } from './chance.ts';
import { binaryPublish, helloText, messageText } from './client-grammar.ts';
import { HttpServer } from './http-server.ts';
import { textOf, textStep, type Input, type Step } from './input.ts';
import { messageOf } from './peer.ts';
import { exchange, statusesOf } from './raw-exchange.ts';
import { demand, type Target, type World } from './target.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const CLOSES = [1000, 1002, 1003, 1005, 1007, 1008, 1009, 1011, 4000, 4001, 4002, 4100, 4200, 4201, 4203, 4300];

function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

class Upgrade implements World {
  readonly #server: HttpServer;

  constructor(server: HttpServer) {
    this.#server = server;
  }

  async take(input: Input): Promise<void> {
    const isReset = input.at(-1)?.op === 255;
    const answer = await exchange(
      this.#server.port,
      input.map(({ bytes }) => bytes),
      isReset,
    );
    const end = answer.indexOf('\r\n\r\n');
    const head = answer.subarray(0, Math.max(0, end)).toString('latin1');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? 0);
    demand(status < 500 || status === 503, () => `the server says that it failed: ${head}`);
    // Of a request before it on the same connection, Node writes the answer wherever it falls.
    if (status === 101 && statusesOf(answer).length === 1) {
      const shown = textOf({ op: 0, bytes: Buffer.concat(input.map(({ bytes }) => bytes)) });
      const keys = [...shown.matchAll(/sec-websocket-key:[ \t]*([^\r\n]*)/gi)].map(([, key]) => acceptOf(key!.trim()));
      demand(
        keys.some((accept) => head.includes(accept)),
        () => `the key is not answered: ${head}`,
      );
      demand(!/^sec-websocket-extensions:/im.test(head), () => `an extension is accepted: ${head}`);
      readFrames(answer.subarray(end + 4), /^sec-websocket-protocol: holdfast\.v1$/im.test(head));
    }
    this.#server.assertNoFault();
  }

  check(): Promise<void> {
    return this.#server.check();
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

/** Reads what a server may send, and throws for anything else. The last frame may be cut by the end. */
function readFrames(bytes: Buffer, isProtocol: boolean): void {
  for (let at = 0; at + 2 <= bytes.length;) {
    const [first, second] = [bytes[at]!, bytes[at + 1]!];
    const opcode = first & 15;
    demand(
      (first & 0x70) === 0 && second < 128,
      () => `a frame of the server is compressed or masked: ${bytes.toString('hex', at, at + 8)}`,
    );
    demand([0, 1, 2, 8, 9, 10].includes(opcode), () => `the server sends the opcode ${opcode}`);
    let length = second;
    let begin = at + 2;
    if (second === 126) [length, begin] = [bytes.length < at + 4 ? 0 : bytes.readUInt16BE(at + 2), at + 4];
    else if (second === 127) [length, begin] = [bytes.length < at + 10 ? 0 : Number(bytes.readBigUInt64BE(at + 2)), at + 10];
    demand(opcode < 8 || length <= 125, () => `a control frame of ${length} bytes`);
    const payload = bytes.subarray(begin, begin + length);
    at = begin + length;
    if (at > bytes.length) return;
    if (opcode === 8) return assertClose(payload);
    if (isProtocol && opcode === 1) messageOf(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    if (isProtocol && opcode === 2) messageOf(new Uint8Array(payload));
  }
}

function assertClose(payload: Buffer): void {
  if (payload.length === 0) return;
  demand(
    (payload.length >= 2 && CLOSES.includes(payload.readUInt16BE(0))) || isEcho(payload),
    () => `closed with ${payload.toString('hex')}`,
  );
}

/** What the client closed with comes back (RFC 6455 section 5.5.1): any code that may stand in a frame. */
function isEcho(payload: Buffer): boolean {
  const code = payload.length < 2 ? 0 : payload.readUInt16BE(0);
  return code >= 1000 && code < 5000 && ![1004, 1005, 1006, 1015].includes(code);
}

const PATHS = [
  '/',
  '/',
  '/',
  '/',
  '/plain',
  '/plain',
  '/nowhere',
  '/%70lain',
  '//',
  '/?ticket=x',
  '/plain/',
  '/?',
  'http://h/',
  '/\u00ff',
  '*',
  `/?${'x'.repeat(9_000)}`,
  '',
];
const EXTRA = [
  'Origin: https://evil.example',
  'Origin: null',
  'Origin: http://h',
  'Origin: ',
  'Origin: http://h:99999',
  'Origin: http://127.0.0.1',
  'Origin: %',
  'Origin: a\r\nOrigin: b',
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
  'Sec-WebSocket-Extensions: permessage-deflate;a=";',
  'Sec-WebSocket-Extensions: ,',
  'Sec-WebSocket-Protocol: holdfast.v1',
  'Sec-WebSocket-Protocol: ,',
  'Sec-WebSocket-Protocol: a, holdfast.v1, a',
  'Sec-WebSocket-Protocol: ä',
  `Sec-WebSocket-Protocol: holdfast.v1, holdfast.token.${'x'.repeat(200)}`,
  'Authorization: Bearer alice',
  'Authorization: Bearer mallory',
  'Cookie: sid=x',
  'X-Forwarded-For: ::ffff:1.2.3.4',
  'Host: two',
  'Content-Length: 5',
  'Content-Length: 0',
  'Transfer-Encoding: chunked',
  'Sec-WebSocket-Key: x',
  'Sec-WebSocket-Version: 8',
  'Connection: close',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'Sec-WebSocket-Accept: x',
  'X-Forwarded-Host: evil.example',
  'X-Forwarded-Proto: https',
];

/** The request of an upgrade, mostly one that is taken. */
function upgradeText(chance: Chance): string {
  const lines = ['Host: h', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Key: ${KEY}`, 'Sec-WebSocket-Version: 13'];
  if (chance.is(0.75)) lines.push('Sec-WebSocket-Protocol: holdfast.v1');
  if (chance.is(0.1)) lines.splice(chance.below(lines.length), 1);
  if (chance.is(0.35)) lines.splice(chance.below(lines.length), 0, chance.pick(EXTRA));
  if (chance.is(0.05))
    lines[chance.below(lines.length)] = chance.pick([
      'Upgrade: WebSocket, x',
      'Connection: keep-alive, upgrade',
      'Sec-WebSocket-Version: 13, 8',
      `Sec-WebSocket-Key: ${KEY} `,
      'Sec-WebSocket-Key: ====',
    ]);
  return `${chance.is(0.96) ? 'GET' : chance.pick(['POST', 'HEAD', 'OPTIONS', 'get'])} ${chance.pick(PATHS)} HTTP/1.${chance.is(0.97) ? 1 : 0}\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** One frame as a client writes it, or not quite. */
function rawFrame(chance: Chance, payload: Uint8Array, opcode: number): Uint8Array {
  const isMasked = chance.is(0.97);
  const finRsv = chance.is(0.93) ? 0x80 : chance.pick([0x00, 0xc0, 0xa0, 0x90, 0x40]);
  const { length } = payload;
  const size = chance.is(0.97) ? length : chance.pick([126, 127, 65_536, 2 ** 31, 2 ** 53, length + 1, 0]);
  const wide = chance.is(0.03);
  const header: number[] = [finRsv | opcode];
  const mask = isMasked ? 128 : 0;
  if (size < 126 && !wide) header.push(mask | size);
  else if (size < 65_536 && !chance.is(0.05)) header.push(mask | 126, size >> 8, size & 255);
  else header.push(mask | 127, ...Buffer.from(BigInt(size).toString(16).padStart(16, '0'), 'hex'));
  const key = isMasked ? chance.bytes(4) : new Uint8Array();
  const masked = isMasked ? payload.map((byte, at) => byte ^ key[at % 4]!) : payload;
  return Uint8Array.from([...header, ...key, ...masked]);
}

function step(chance: Chance): Step {
  const op = chance.below(255);
  const encoder = new TextEncoder();
  const kind = chance.below(20);
  if (kind < 10)
    return { op, bytes: rawFrame(chance, encoder.encode(chance.is(0.35) ? helloText(chance) : messageText(chance).slice(0, 20_000)), 1) };
  if (kind < 13) return { op, bytes: rawFrame(chance, binaryPublish(chance), 2) };
  if (kind < 15) return { op, bytes: rawFrame(chance, chance.bytes(chance.pick([0, 3, 125, 126, 127])), chance.pick([9, 10])) };
  if (kind === 15)
    return {
      op,
      bytes: rawFrame(
        chance,
        chance.pick([
          Uint8Array.of(3, 232),
          Uint8Array.of(3),
          new Uint8Array(),
          Uint8Array.of(3, 237),
          Uint8Array.of(15, 160, 255),
          Uint8Array.of(255, 255),
          Uint8Array.of(0, 0),
        ]),
        8,
      ),
    };
  if (kind === 16) return { op, bytes: rawFrame(chance, chance.bytes(8), chance.pick([3, 7, 11, 15])) };
  if (kind === 17) return { op, bytes: rawFrame(chance, Uint8Array.of(0x7b, 0xc3, 0x28, 0xff), chance.pick([0, 1])) };
  if (kind === 18) return { op, bytes: rawFrame(chance, chance.bytes(chance.pick([16_384, 16_385, 70_000])), chance.pick([1, 2])) };
  return textStep(op, upgradeText(chance));
}

function generate(chance: Chance): Input {
  const greeting = chance.is(0.7) ? [{ op: 0, bytes: rawFrame(chance, new TextEncoder().encode(helloText(chance)), 1) }] : [];
  const steps = [textStep(0, upgradeText(chance)), ...greeting, ...Array.from({ length: chance.below(5) }, () => step(chance))];
  return chance.is(0.03) ? [...steps, { op: 255, bytes: new Uint8Array() }] : steps;
}

export const UPGRADE: Target = {
  name: 'upgrade',
  does: 'raw upgrade requests and raw WebSocket frames over TCP',
  share: 0.015,
  worldInputs: 2_048,
  open: async () => new Upgrade(await new HttpServer().open()),
  generate,
  step,
};
