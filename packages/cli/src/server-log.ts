/**
 * What a server tells its operator: lines for people on a terminal, JSON lines for machines elsewhere. The first line is for
 * programs too: as text it ends with the address, as JSON it has the field `url`.
 */

import { createLogger, logErrors, logEvents, type Logger } from '@holdfast/ops';
import type { HubEvent } from '@holdfast/server';
import type { AuthMode } from './gate.ts';
import type { Settings } from './settings.ts';

export interface ServerLog {
  readonly format: 'text' | 'json';
  /** Where requests and faults of webhooks are told. */
  readonly logger: Logger;
  readonly onEvent: (event: HubEvent) => void;
  readonly onError: (error: unknown) => void;
  /** A step of the server's own life. `fields` are for JSON; the text says all. */
  say(text: string, fields?: object): void;
  warn(text: string, fields?: object): void;
}

/** As the settings and the terminal have it. */
export function createServerLog(settings: Settings, mode: AuthMode): ServerLog {
  const { 'log.level': level, 'log.format': format } = settings;
  const isText = format === 'text' || (format === 'auto' && (process.stdout.isTTY || mode === 'development'));
  return isText ? textLog(level) : jsonLog(level);
}

function jsonLog(level: Settings['log.level']): ServerLog {
  const logger = createLogger({ level });
  return {
    format: 'json',
    logger,
    onEvent: logEvents(logger),
    onError: logErrors(logger),
    // What a supervisor waits for is told whatever the level.
    say: (text, fields = {}) => (logger.isLevelEnabled('info') ? logger.info(fields, text) : logger[level](fields, text)),
    warn: (text, fields = {}) => logger.warn(fields, text),
  };
}

/** Events go to standard error, beside the lines of the server's own life. */
function textLog(level: Settings['log.level']): ServerLog {
  const logger = createLogger({ level, pretty: true, destination: { write: (line) => process.stderr.write(line) } });
  const tell = logEvents(logger);
  return {
    format: 'text',
    logger,
    // That it is going away has been said.
    onEvent: (event) => (event.type === 'draining' ? undefined : tell(event)),
    onError: logErrors(logger),
    say: (text) => console.log(text),
    warn: (text) => console.error(`holdfast serve: ${text}`),
  };
}
