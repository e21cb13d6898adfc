/**
 * A peer on bare TCP that does what the script in the address says, and can break every rule: it makes its frames and its
 * answers by hand. `GET /report?id=...` waits for the end of that connection and tells what it saw.
 */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { BINARY, CLOSE, closeFrame, frame, PING, shown, TEXT, type Act, type Report, type Script } from './channel-script.testing.ts';
import { Deferred } from './deferred.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export class ScriptedPeer {
  readonly #server: Server = createServer((socket) => this.#accept(socket));
  /** And what each asked for. */
  readonly #sockets = new Map<Socket, string>();
  readonly #reports = new Map<string, Deferred<Report>>();

  /** Listens; resolves with the peer. */
  static async listen(): Promise<ScriptedPeer> {
    const peer = new ScriptedPeer();
    peer.#server.listen(0, '127.0.0.1');
    await once(peer.#server, 'listening');
    return peer;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that this side still holds. */
  get open(): readonly string[] {
    return [...this.#sockets.values()];
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  report(id: string): Promise<Report> {
    let report = this.#reports.get(id);
    if (report === undefined) this.#reports.set(id, (report = new Deferred()));
    return report.promise;
  }

  #accept(socket: Socket): void {
    this.#sockets.set(socket, '');
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    socket.setNoDelay(true);
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      // TLS's hello: this is no port for it.
      if (head[0] === 0x16) return void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', onData);
      this.#route(socket, head.subarray(0, end).toString(), head.subarray(end + 4));
    };
    socket.on('data', onData);
  }

  #route(socket: Socket, head: string, rest: Buffer): void {
    const [request = '', ...lines] = head.split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    this.#sockets.set(socket, decodeURIComponent(request));
    const { pathname, searchParams } = new URL(request.split(' ')[1] ?? '/', 'http://peer');
    const id = searchParams.get('id') ?? '';
    if (pathname === '/report') {
      void this.report(id).then((report) => {
        const body = Buffer.from(JSON.stringify(report));
        socket.write(`HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`);
        socket.end(body);
      });
    } else if (pathname === '/page') {
      socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<!doctype html>');
    } else {
      const script = JSON.parse(searchParams.get('script') ?? '{}') as Script;
      const conversation = new Conversation(socket, script, headers);
      socket.on('close', () => {
        void this.report(id);
        this.#reports.get(id)!.resolve(conversation.report());
      });
      conversation.begin(rest);
    }
  }
}

/** One connection after its request. */
class Conversation {
  readonly #socket: Socket;
  readonly #script: Script;
  readonly #headers: Readonly<Record<string, string>>;
  #acts: Act[];
  #buffer: Buffer = Buffer.alloc(0);
  #fragments: Buffer[] = [];
  #opcode = 0;
  /** Not taken by an act yet. */
  #inbox: { readonly opcode: number; readonly payload: Buffer }[] = [];
  readonly #seen: string[] = [];
  #close: Report['close'];
  #isRunning = false;
  #taken = 0;

  constructor(socket: Socket, script: Script, headers: Readonly<Record<string, string>>) {
    this.#socket = socket;
    this.#script = script;
    this.#headers = headers;
    this.#acts = [...(script.acts ?? [])];
  }

  report(): Report {
    return { messages: this.#seen, close: this.#close, headers: this.#headers };
  }

  begin(rest: Buffer): void {
    const { cut, answer, glued = '' } = this.#script;
    if (cut !== undefined) return this.#cut(cut);
    const text = (answer ?? this.#upgrade()).replace('$ACCEPT', this.#accept()).replace('$PROTOCOL', this.#offered());
    if (text !== '') this.#socket.write(Buffer.concat([Buffer.from(text, 'latin1'), Buffer.from(glued, 'hex')]));
    if (text !== '' && !text.startsWith('HTTP/1.1 101')) return void this.#socket.end();
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    // A hang-up of the other side is answered by one.
    this.#socket.on('end', () => this.#socket.end());
    if (rest.length > 0) this.#receive(rest);
    void this.#act();
  }

  #accept(): string {
    return createHash('sha1').update(`${this.#headers['sec-websocket-key']}${GUID}`).digest('base64');
  }

  #offered(): string {
    return (this.#headers['sec-websocket-protocol'] ?? '').split(',')[0]!.trim();
  }

  #upgrade(): string {
    const { protocol = this.#offered() } = this.#script;
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: $ACCEPT'];
    if (protocol !== null && protocol !== '') lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
    return `${lines.join('\r\n')}\r\n\r\n`;
  }

  #cut(how: 'reset' | 'hangup'): void {
    if (how === 'reset') this.#socket.resetAndDestroy();
    else this.#socket.end();
  }

  async #act(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let act = this.#acts[0]; act !== undefined && this.#isReady(act); act = this.#acts[0]) {
      await this.#do(act).catch(() => {});
      if (this.#socket.destroyed) return;
      if ('echo' in act && this.#taken < act.echo) continue;
      if ('take' in act) this.#inbox.splice(0, act.take);
      this.#taken = 0;
      this.#acts.shift();
    }
    this.#isRunning = false;
  }

  #isReady(act: Act): boolean {
    if ('take' in act) return this.#inbox.length >= act.take;
    return !('echo' in act) || this.#inbox.length > 0;
  }

  async #do(act: Act): Promise<void> {
    if ('text' in act || 'bytes' in act) {
      const one = Buffer.from('text' in act ? frame(TEXT, act.text) : frame(BINARY, act.bytes), 'hex');
      for (let n = 0; n < (act.times ?? 1); n++)
        if (!this.#socket.write(one)) await Promise.race([once(this.#socket, 'drain'), once(this.#socket, 'close')]);
    } else if ('raw' in act) await this.#raw(Buffer.from(act.raw, 'hex'), act.drip ?? false);
    else if ('close' in act) this.#socket.write(Buffer.from(act.close === null ? frame(CLOSE) : closeFrame(act.close, act.reason), 'hex'));
    else if ('cut' in act) this.#cut(act.cut);
    else if ('echo' in act) {
      const { opcode, payload } = this.#inbox.shift()!;
      this.#socket.write(Buffer.concat([header(opcode, payload.length), payload]));
      this.#taken += 1;
    }
  }

  async #raw(bytes: Buffer, isDripping: boolean): Promise<void> {
    if (!isDripping) return void this.#socket.write(bytes);
    for (const byte of bytes) {
      this.#socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #receive(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const { length } = this.#buffer;
      if (length < 2) return;
      const short = this.#buffer[1]! & 127;
      const headBytes = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (length < headBytes + 4) return;
      const size = short === 126 ? this.#buffer.readUInt16BE(2) : short === 127 ? Number(this.#buffer.readBigUInt64BE(2)) : short;
      if (length < headBytes + 4 + size) return;
      const mask = this.#buffer.subarray(headBytes, headBytes + 4);
      const payload = Buffer.from(this.#buffer.subarray(headBytes + 4, headBytes + 4 + size)).map(
        (byte, at) => byte ^ mask[at % 4]!,
      ) as Buffer;
      const first = this.#buffer[0]!;
      this.#buffer = this.#buffer.subarray(headBytes + 4 + size);
      this.#onFrame(first & 15, (first & 128) !== 0, Buffer.from(payload));
    }
  }

  #onFrame(opcode: number, fin: boolean, payload: Buffer): void {
    if (opcode === CLOSE) return this.#onClose(payload);
    if (opcode === PING) return void this.#socket.write(Buffer.concat([header(10, payload.length), payload]));
    if (opcode > 2) return;
    if (opcode !== 0) this.#opcode = opcode;
    this.#fragments.push(payload);
    if (!fin) return;
    const whole = Buffer.concat(this.#fragments);
    this.#fragments = [];
    this.#inbox.push({ opcode: this.#opcode, payload: whole });
    this.#seen.push(shown(this.#opcode === TEXT ? whole.toString() : new Uint8Array(whole)));
    void this.#act();
  }

  #onClose(payload: Buffer): void {
    this.#close = { code: payload.length < 2 ? 1005 : payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
    const { onClose = 'answer' } = this.#script;
    if (onClose === 'ignore') return;
    if (onClose !== 'answer') return this.#cut(onClose);
    if (!this.#isClosing()) this.#socket.write(Buffer.concat([header(CLOSE, payload.length), payload]));
    this.#socket.end();
  }

  /** It sent its own goodbye already. */
  #isClosing(): boolean {
    return (this.#script.acts ?? []).some((act) => 'close' in act && !this.#acts.includes(act));
  }
}

function header(opcode: number, size: number): Buffer {
  const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10);
  head[0] = 128 | opcode;
  head[1] = size < 126 ? size : size < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(size, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(size), 2);
  return head;
}
