/**
 * Stands in for `socket-node.ts` in bundles for browsers (the condition `browser` of `#socket-node` in package.json): there
 * is no `ws`, and a failure has no reason that a page may learn.
 */

import { HoldfastError } from '@holdfast/wire';
import type { SocketFailure } from './socket-failure.ts';
import type { SocketFactory } from './socket.ts';

export function failureOf(_error: unknown, wasOpen: boolean): SocketFailure {
  return { cause: new HoldfastError(wasOpen ? 'CONNECTION_LOST' : 'NETWORK') };
}

export function wsSocketFactory(_given: unknown): SocketFactory | undefined {
  return undefined;
}
