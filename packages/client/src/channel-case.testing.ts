/**
 * What a case of the conformance table is, and what it is given. A case runs in Node and in a page of a browser alike: it
 * knows neither, and its outcome is plain JSON.
 */

import { WebSocketChannel, type ChannelEnd, type ChannelOptions } from './channel.ts';
import { shown, type Report, type Script } from './channel-script.testing.ts';
import { HoldfastError } from '@holdfast/wire';

/** `memory`: sockets in memory; `ws`: the npm package; `node`: Node's own WebSocket; `chromium`: a page in a real browser. */
export type Platform = 'memory' | 'ws' | 'node' | 'chromium';

export interface ConformanceCase {
  readonly name: string;
  readonly run: (kit: Kit) => Promise<unknown>;
  readonly expect: unknown;
  /** It is about bytes on the wire: there are none in memory. */
  readonly raw?: boolean;
  /** Where the outcome is another, and why nothing can be done about it. */
  readonly differs?: Partial<Record<Platform, unknown>> & { readonly why: string };
}

/** What a platform gives to the cases. */
export interface KitOptions {
  readonly platform: Platform;
  /** Of the scripted peer, `host:port`. */
  readonly host: string;
  /** Where nobody listens, `host:port`. */
  readonly deadHost: string;
  /** What every channel is opened with. */
  readonly base: ChannelOptions;
  report(id: string): Promise<Report>;
}

let count = 0;

export class Kit {
  readonly platform: Platform;
  readonly deadHost: string;
  readonly host: string;
  readonly #options: KitOptions;
  readonly #ids = new Map<WebSocketChannel, string>();

  constructor(options: KitOptions) {
    this.#options = options;
    this.platform = options.platform;
    this.host = options.host;
    this.deadHost = options.deadHost;
  }

  /** A channel to a peer that does what the script says. */
  open(script: Script = {}, options: ChannelOptions = {}): WebSocketChannel {
    count += 1;
    const id = `${this.platform}-${count}-${String(Math.random()).slice(2)}`;
    const query = `id=${id}&script=${encodeURIComponent(JSON.stringify(script))}`;
    const channel = this.connect(`ws://${this.#options.host}/?${query}`, options);
    this.#ids.set(channel, id);
    return channel;
  }

  connect(url: string, options: ChannelOptions = {}): WebSocketChannel {
    return WebSocketChannel.connect(url, { ...this.#options.base, ...options });
  }

  /** What the peer saw, when it is over. */
  report(channel: WebSocketChannel): Promise<Report> {
    return this.#options.report(this.#ids.get(channel)!);
  }
}

/** An end in a word: who, code and reason, and what forced it. */
export function endOf({ by, code, reason, clean, cause, httpStatus }: ChannelEnd): string {
  const parts = [by, code, clean ? 'clean' : 'unclean', ...(reason === '' ? [] : [JSON.stringify(reason)])];
  return [...parts, ...(httpStatus === undefined ? [] : [httpStatus]), ...(cause === undefined ? [] : [cause.code])].join(' ');
}

/** What a promise or a call comes to: `ok`, or the code of the error. A promise that is not ours may have others. */
export async function outcome(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
    return 'ok';
  } catch (error) {
    return error instanceof HoldfastError ? error.code : `other: ${String(error)}`;
  }
}

/** What a call throws at once. */
export function thrown(attempt: () => unknown): string {
  try {
    attempt();
    return 'nothing';
  } catch (error) {
    return error instanceof HoldfastError ? error.code : `other: ${String(error)}`;
  }
}

/** All messages until the channel is over. */
export async function readAll(channel: WebSocketChannel): Promise<string[]> {
  const messages: string[] = [];
  for await (const message of channel.stream) messages.push(shown(message));
  return messages;
}

/** So many messages; the channel goes on. Reads by hand, so as to cancel nothing. */
export async function take(messages: AsyncIterator<string | Uint8Array>, number: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < number) {
    const step = await messages.next();
    if (step.done === true) break;
    taken.push(shown(step.value));
  }
  return taken;
}
