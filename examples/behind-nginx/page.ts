/**
 * What runs in the browser: follows a topic with tokens of its own back end, and writes down all that happens, on the wire
 * too. `greet` is a client by hand, which shows what a server answers to a token of any kind.
 */

import { createClient, type Client } from '@holdfast/client';

/** What was seen of one page's client. Times are ms since 1970. */
export interface Seen {
  /** Offset and `data.n` of each entry, in the order of their coming. */
  readonly entries: (readonly [offset: number, n: number])[];
  /** Pauses of the topic (HF-5.10). */
  readonly pauses: { readonly code: string; readonly message: string; readonly atMs: number }[];
  readonly gaps: string[];
  /** Types of the frames, by the number of the connection, from 1; of errors also the code. */
  readonly sent: string[];
  readonly received: string[];
  readonly closes: { readonly code: number; readonly reason: string; readonly atMs: number }[];
  connections: number;
  phase: string;
  lastError: string | undefined;
}

export interface Greeting {
  /** `welcome` or the code of the error. */
  readonly answer: string;
  readonly message: string;
  readonly code: number;
  readonly reason: string;
}

const seen: Seen = {
  entries: [],
  pauses: [],
  gaps: [],
  sent: [],
  received: [],
  closes: [],
  connections: 0,
  phase: '',
  lastError: undefined,
};
let client: Client;

/** The browser's own WebSocket, watched. */
class WatchedSocket extends WebSocket {
  readonly #number: number = ++seen.connections;

  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    this.addEventListener('message', ({ data }) => seen.received.push(`${this.#number} ${typeOf(data)}`));
    this.addEventListener('close', ({ code, reason }) => seen.closes.push({ code, reason, atMs: Date.now() }));
  }

  override send(data: string | BufferSource | Blob): void {
    seen.sent.push(`${this.#number} ${typeOf(data)}`);
    super.send(data);
  }
}

function typeOf(data: unknown): string {
  if (typeof data !== 'string') return 'binary';
  const { type, code } = JSON.parse(data) as { readonly type: string; readonly code?: string };
  return code === undefined ? type : `${type} ${code}`;
}

function here(): string {
  return `wss://${location.host}`;
}

async function freshToken(subject: string): Promise<string> {
  return (await fetch(`/token/${subject}`)).text();
}

/** Follows `topic` from its first entry on as `subject`. */
function follow(subject: string, topicName: string): void {
  client = createClient({ url: here(), token: () => freshToken(subject), WebSocket: WatchedSocket });
  client.status.subscribe(() => {
    const { phase, lastError } = client.status.getSnapshot();
    Object.assign(seen, { phase, lastError: lastError?.code });
  });
  const topic = client.topic(topicName);
  const view = topic.view({ last: 1_000 });
  let problem = view.getSnapshot().problem;
  view.subscribe(() => {
    const now = view.getSnapshot().problem;
    if (now !== undefined && now !== problem) seen.pauses.push({ code: now.code, message: now.message, atMs: Date.now() });
    problem = now;
  });
  void (async () => {
    for await (const item of topic.items({ last: 1_000 })) {
      if (item.type === 'entry') seen.entries.push([item.offset, (item.data as { readonly n: number }).n]);
      else if (item.type === 'gap') seen.gaps.push(item.reason);
    }
  })().catch(() => {}); // The client is closed, and its status says why.
}

/** One round trip on the live connection: everything that the server sent before has come when it resolves. */
function renew(): Promise<void> {
  return client.authenticate();
}

/** Opens a socket to any address, says hello, and tells what the answer was and how it ended. */
function greet(url: string, token?: string): Promise<Greeting> {
  const socket = new WebSocket(url, 'holdfast.v1');
  let first: { readonly type: string; readonly code?: string; readonly message?: string } | undefined;
  socket.onopen = (): void => socket.send(JSON.stringify({ type: 'hello', client: 'by-hand', ...(token === undefined ? {} : { token }) }));
  socket.onmessage = ({ data }): void => {
    first ??= JSON.parse(data as string) as { readonly type: string };
    if (first.type === 'welcome') socket.close(1000);
  };
  return new Promise((resolve) => {
    socket.onclose = ({ code, reason }): void =>
      resolve({ answer: first?.code ?? first?.type ?? 'nothing', message: first?.message ?? '', code, reason });
  });
}

Object.assign(globalThis, { seen, follow, renew, greet });
