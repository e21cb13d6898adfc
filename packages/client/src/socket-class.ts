/**
 * From a WebSocket class to the socket port: chooses the adapter that fits the class. The adapter for `ws` is in no
 * browser's bundle: there `socket-browser.ts` stands in for `socket-node.ts` (`#socket-node` in package.json).
 */

import { wsSocketFactory } from '#socket-node';
import { HoldfastError } from '@holdfast/wire';
import { whatwgSocketFactory, type WebSocketClass } from './socket-whatwg.ts';
import type { SocketFactory } from './socket.ts';

/** A factory from a WebSocket class: the platform's own, or that of the npm package `ws`. Throws `USAGE` where there is none. */
export function webSocketFactory(given: WebSocketClass | undefined): SocketFactory {
  const found = given ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (found === undefined) {
    throw new HoldfastError('USAGE', 'this platform has no WebSocket', {
      hint: 'Install the package "ws" and pass its class as the option "WebSocket": import { WebSocket } from "ws". Node has its own from version 22.',
    });
  }
  return wsSocketFactory(found) ?? whatwgSocketFactory(found);
}
