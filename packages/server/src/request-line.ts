/**
 * The requests of one HTTP connection, one by one. A client may send the next request before it has read the answer to the
 * one before (RFC 9112 section 9.3.2), and Node hands over as many as came in one piece: a thousand requests in 64 KB, whose
 * answers would all be held for a client that reads none.
 */

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests of one connection that wait for the answer to another one; with one more the connection is dropped. */
const WAITING_REQUESTS_MAX = 100;

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse<IncomingMessage> & { readonly req: IncomingMessage };
}

/**
 * The same listener, called for the next request of a connection when the network has taken the answer to the one before. While
 * one is being answered its connection may stand still for `stillMs`: set here and not on every connection of the server, since
 * most become WebSockets, and would keep a timer that has long been cleared.
 */
export function oneByOne(listener: RequestListener, stillMs: number): RequestListener {
  const lines = new WeakMap<Socket, Waiting[]>();

  function serve({ request, response }: Waiting, line: Waiting[]): void {
    const { socket } = request;
    response.once('close', () => {
      const next = line.shift();
      if (next === undefined) lines.delete(socket);
      else if (!socket.destroyed) serve(next, line);
    });
    socket.setTimeout(stillMs);
    listener(request, response);
  }

  return (request, response) => {
    const { socket } = request;
    const line = lines.get(socket);
    if (line === undefined) {
      const empty: Waiting[] = [];
      lines.set(socket, empty);
      return serve({ request, response }, empty);
    }
    if (line.length >= WAITING_REQUESTS_MAX) return void socket.destroy();
    line.push({ request, response });
  };
}
