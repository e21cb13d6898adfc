/**
 * What a scripted peer does with one connection, as JSON, so that it fits into the address that a client connects to: a
 * page in a browser needs nothing else. Knows no platform.
 */

/** One thing that the peer does, in order. */
export type Act =
  | { readonly text: string; readonly times?: number }
  | { readonly bytes: readonly number[]; readonly times?: number }
  /** Bytes as they are, in hex; `drip` sends each in a segment of its own. */
  | { readonly raw: string; readonly drip?: boolean }
  /** A close frame; `null` for one without a code. */
  | { readonly close: number | null; readonly reason?: string }
  /** Waits for so many messages. */
  | { readonly take: number }
  /** Sends back so many messages as they come. */
  | { readonly echo: number }
  | { readonly cut: 'reset' | 'hangup' };

export interface Script {
  /** The answer to the handshake, as it is, with `$ACCEPT` and `$PROTOCOL` put in; `''` for none. Default: the right one. */
  readonly answer?: string;
  /** Instead of an answer. */
  readonly cut?: 'reset' | 'hangup';
  /** Answers with this subprotocol; `null`: with none. Default: the first that was offered. */
  readonly protocol?: string | null;
  /** In hex, in the same segment as the answer. */
  readonly glued?: string;
  readonly acts?: readonly Act[];
  /** What it does when a close frame comes. Default: answers, and hangs up. */
  readonly onClose?: 'answer' | 'ignore' | 'reset' | 'hangup';
}

/** What the peer saw of a connection that is over. */
export interface Report {
  readonly messages: readonly string[];
  /** Of the client's close frame: the code (1005 for none) and the reason. */
  readonly close: { readonly code: number; readonly reason: string } | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** A message in a word: texts as they are, bytes in brackets, long ones by their length and a checksum. */
export function shown(message: string | Uint8Array): string {
  if (typeof message === 'string')
    return message.length <= 200 ? message : `text of ${message.length}, sum ${sum([...message].map((c) => c.codePointAt(0)!))}`;
  return message.length <= 40 ? `[${[...message].join()}]` : `[${message.length}, sum ${sum(message)}]`;
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let at = 0; at < values.length; at++) total = (total * 31 + values[at]!) % 1_000_003;
  return total;
}

export interface FrameOptions {
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly mask?: boolean;
}

export const TEXT = 1;
export const BINARY = 2;
export const CONTINUATION = 0;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** A frame in hex (RFC 6455 section 5.2). */
export function frame(
  opcode: number,
  payload: string | readonly number[] = '',
  { fin = true, rsv = 0, mask = false }: FrameOptions = {},
): string {
  const bytes = typeof payload === 'string' ? [...new TextEncoder().encode(payload)] : [...payload];
  const size = bytes.length;
  const length =
    size < 126
      ? [size]
      : size < 65_536
        ? [126, size >> 8, size & 255]
        : [127, 0, 0, 0, 0, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255];
  const head = [(fin ? 128 : 0) | (rsv << 4) | opcode, (mask ? 128 : 0) | length[0]!, ...length.slice(1)];
  // A mask of zeros leaves the payload as it is.
  return hex([...head, ...(mask ? [0, 0, 0, 0] : []), ...bytes]);
}

export function closeFrame(code: number, reason: string | readonly number[] = '', options?: FrameOptions): string {
  const bytes = typeof reason === 'string' ? [...new TextEncoder().encode(reason)] : reason;
  return frame(CLOSE, [code >> 8, code & 255, ...bytes], options);
}

function hex(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** An answer that is no upgrade. */
export function refusal(status: number, ...headers: readonly string[]): string {
  return [`HTTP/1.1 ${status} Because`, 'Content-Length: 3', 'Connection: close', ...headers, '', 'no\n'].join('\r\n');
}

/** An upgrade of these headers in place of the right ones. */
export function upgrade(...headers: readonly string[]): string {
  return ['HTTP/1.1 101 Switching Protocols', ...headers, '', ''].join('\r\n');
}
