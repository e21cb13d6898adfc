/** The scripted peer in memory: a socket factory that does what the script in the address says, message by message. */

import type { Report, Script } from './channel-script.testing.ts';
import { shown } from './channel-script.testing.ts';
import { refusedUpgrade, failureOf } from './socket-failure.ts';
import type { ClientSocket, SocketEnd, SocketEvents, SocketFactory, SocketOptions } from './socket.ts';
import { Deferred } from './deferred.ts';

export class MemoryPeer {
  readonly #reports = new Map<string, Deferred<Report>>();

  report(id: string): Promise<Report> {
    let report = this.#reports.get(id);
    if (report === undefined) this.#reports.set(id, (report = new Deferred()));
    return report.promise;
  }

  readonly socket: SocketFactory = (url, options, events) => {
    const searchParams = new URLSearchParams(url.split('?')[1]);
    const id = searchParams.get('id') ?? '';
    const script = JSON.parse(searchParams.get('script') ?? '{}') as Script;
    return new MemoryConversation(script, options, events, (report) => {
      void this.report(id);
      this.#reports.get(id)!.resolve(report);
    });
  };
}

class MemoryConversation implements ClientSocket {
  readonly bufferedBytes = 0;
  readonly #script: Script;
  readonly #options: SocketOptions;
  readonly #events: SocketEvents;
  readonly #done: (report: Report) => void;
  readonly #seen: string[] = [];
  #inbox: (string | Uint8Array)[] = [];
  #close: Report['close'];
  #isOver = false;
  #isPaused = false;
  #wake: () => void = () => {};

  constructor(script: Script, options: SocketOptions, events: SocketEvents, done: (report: Report) => void) {
    this.#script = script;
    this.#options = options;
    this.#events = events;
    this.#done = done;
    void this.#run();
  }

  send(frame: string | Uint8Array): void {
    const copy =
      typeof frame === 'string' ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(frame)) : frame.slice();
    this.#inbox.push(copy);
    this.#seen.push(shown(copy));
    this.#wake();
  }

  pause(): boolean {
    this.#isPaused = true;
    return true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
  }

  close(code = 1005, reason = ''): void {
    this.#close = { code, reason };
    const { onClose = 'answer' } = this.#script;
    if (onClose !== 'ignore') queueMicrotask(() => this.#end(onClose === 'answer' ? { code, reason, clean: true } : lost()));
  }

  abandon(): void {
    this.#isOver = true;
    this.#report();
    this.#wake();
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    const { cut, answer, protocol = this.#options.protocols[0] ?? '' } = this.#script;
    if (cut !== undefined) return this.#end({ ...lost(), ...failureOf({ code: 'ECONNRESET' }, false) });
    if (answer === '') return;
    if (answer !== undefined)
      return this.#end({ ...lost(), ...refusedUpgrade(Number(answer.split(' ')[1]), undefined, /^Retry-After: (\d+)/m.exec(answer)?.[1]) });
    if (this.#isOver) return;
    this.#events.onOpen(protocol ?? '');
    for (const act of this.#script.acts ?? []) {
      if ('text' in act || 'bytes' in act) {
        const message = 'text' in act ? act.text : Uint8Array.from(act.bytes);
        for (let n = 0; n < (act.times ?? 1); n++) await this.#tell(message);
      } else if ('take' in act) {
        await this.#until(() => this.#inbox.length >= act.take);
        this.#inbox.splice(0, act.take);
      } else if ('echo' in act) {
        for (let n = 0; n < act.echo && !this.#isOver; n++) {
          await this.#until(() => this.#inbox.length > 0);
          await this.#tell(this.#inbox.shift()!);
        }
      } else if ('close' in act || 'cut' in act) {
        // The network takes longer than a promise.
        await new Promise((resolve) => setTimeout(resolve, 0));
        this.#end('close' in act ? { code: act.close ?? 1005, reason: act.reason ?? '', clean: true } : lost());
      }
      if (this.#isOver) return;
    }
  }

  async #tell(message: string | Uint8Array): Promise<void> {
    await Promise.resolve();
    await this.#until(() => !this.#isPaused);
    if (!this.#isOver) this.#events.onMessage(message);
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.#isOver) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #end(end: SocketEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#report();
    this.#events.onClose(end);
  }

  #report(): void {
    this.#done({ messages: this.#seen, close: this.#close, headers: {} });
  }
}

function lost(): SocketEnd {
  return { code: 1006, reason: '', clean: false };
}
