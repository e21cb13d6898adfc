/**
 * A ticker over one channel, to any WebSocket server: says what it wants, prints what comes, and says how it ended.
 * `node ticker.js ws://host/path`; any number of lines, then `Ctrl-C`, which says goodbye.
 */

import { WebSocketChannel, type ChannelEnd } from '@holdfast/client';
import { WebSocket } from 'ws';

export interface TickerOptions {
  readonly url: string;
  /** What to ask for. */
  readonly symbols: readonly string[];
  /** Ends it. */
  readonly signal?: AbortSignal;
  readonly print: (line: string) => void;
}

/** Follows prices until the peer, the network or the signal ends it. */
export async function follow({ url, symbols, signal, print }: TickerOptions): Promise<ChannelEnd> {
  const channel = WebSocketChannel.connect(url, { protocols: 'ticker', signal, WebSocket });
  // Sent as soon as the channel is open; if it never is, `closed` says why.
  void channel.sink.addStream(symbols.map((symbol) => JSON.stringify({ follow: symbol })));
  try {
    for await (const message of channel.stream) {
      if (typeof message !== 'string') continue;
      const { symbol, price } = JSON.parse(message) as { symbol: string; price: number };
      print(`${symbol} ${price.toFixed(2)}`);
    }
  } catch {
    // It never opened.
  }
  const end = await channel.closed;
  print(sentence(end));
  return end;
}

function sentence({ by, code, reason, httpStatus, cause }: ChannelEnd): string {
  if (by === 'peer' && httpStatus === undefined) return `The server ended it: ${code}${reason === '' ? '' : ` (${reason})`}.`;
  if (by === 'local') return 'Goodbye.';
  return `${cause!.message} ${cause!.hint}`;
}

if (process.argv[1]?.endsWith('ticker.js') === true) {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  const { by } = await follow({ url: process.argv[2]!, symbols: ['ABC', 'XYZ'], signal: controller.signal, print: console.log });
  process.exitCode = by === 'local' || by === 'peer' ? 0 : 1;
}
