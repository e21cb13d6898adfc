/** One line of the log for each HTTP request, when its answer is sent or the peer has gone. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from './logger.ts';
import { withoutQuery } from './secrets.ts';

export interface AccessLogOptions {
  /** Whose request it is; behind proxies `clientAddress` of `@holdfast/server`. Default: the address of the peer. */
  readonly addressOf?: (request: IncomingMessage) => string;
  /** Of paths that are not worth a line, such as `/health`. Default: none. */
  readonly isQuiet?: (path: string) => boolean;
}

/** What the handler learns on its way. */
export interface AccessRecord {
  /** Who it is, as soon as that is known. */
  subject?: string;
}

/** Call it before the request is handled, and tell the record what is learnt. Answers of 500 and above are told at `warn`, others at `info`. */
export function createAccessLog(
  logger: Logger,
  { addressOf = ({ socket }) => socket.remoteAddress ?? '', isQuiet = () => false }: AccessLogOptions = {},
): (request: IncomingMessage, response: ServerResponse) => AccessRecord {
  return (request, response) => {
    const record: AccessRecord = {};
    const path = withoutQuery(request.url ?? '/');
    if (isQuiet(path)) return record;
    const began = performance.now();
    // Now: the peer's address is gone with its connection.
    const address = addressOf(request);
    response.once('close', () => {
      const durationMs = Math.round((performance.now() - began) * 10) / 10;
      const { statusCode: status, writableFinished } = response;
      const fields = { event: 'request', method: request.method, path, status, durationMs, address, ...record };
      const line = writableFinished ? fields : { ...fields, isAborted: true };
      logger[status >= 500 ? 'warn' : 'info'](line, 'a request was answered');
    });
    return record;
  };
}
