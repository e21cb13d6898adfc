/**
 * What a hub tells, as lines of a log: one per event, with fields whose names and types stay the same from version to
 * version. `event` says which it is.
 */

import type { HubEvent } from '@holdfast/server';
import type { Logger } from './logger.ts';

/** For the hub's `onEvent`. Coming and going is told at `debug`, refusals and limits at `warn`, what an operator did at `info`. */
export function logEvents(logger: Logger): (event: HubEvent) => void {
  return (event) => {
    switch (event.type) {
      case 'welcomed': {
        const { type, ...facts } = event;
        return logger.debug({ event: type, ...facts }, 'a client is connected');
      }
      case 'closed': {
        // Elsewhere `code` is a word; a field must not be both.
        const { type, code, ...facts } = event;
        return logger.debug({ event: type, closeCode: code, ...facts }, 'a connection has ended');
      }
      case 'refused': {
        const { type, message, ...facts } = event;
        return logger.warn({ event: type, why: message, ...facts }, 'a connection was refused');
      }
      case 'limited': {
        const { type, ...facts } = event;
        return logger.warn({ event: type, ...facts }, 'a limit was reached');
      }
      case 'draining': {
        const { type, ...facts } = event;
        return logger.info({ event: type, ...facts }, 'the server is going away');
      }
      case 'disconnected': {
        const { type, ...facts } = event;
        return logger.info({ event: type, ...facts }, 'connections were closed on request');
      }
    }
  };
}

/** For the hub's `onError`: what a hook, a method or a handler threw, and faults of the server itself. */
export function logErrors(logger: Logger): (error: unknown) => void {
  return (error) => logger.error({ event: 'error', err: error }, 'something failed that no client may read');
}
