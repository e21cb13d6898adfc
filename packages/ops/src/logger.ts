/**
 * Structured logs: one JSON object per line, written by pino. Every line goes through `scrub` before it leaves the process,
 * and of an error only its own words are written, never what it carries along (an HTTP client's error has the request's
 * headers).
 */

import { HoldfastError } from '@holdfast/wire';
import { destination as openDestination, pino, type Logger } from 'pino';
import { prettyLine } from './pretty-line.ts';
import { REDACTED, scrub, SECRET_NAMES } from './secrets.ts';

export type { Logger };

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Where lines go; each ends in a newline. */
export interface LogDestination {
  write(line: string): void;
}

export interface LoggerOptions {
  /** The least important that is written. Default `info`. */
  readonly level?: LogLevel;
  /** A stream, or the path of a file, which is appended to. Default: standard output. */
  readonly destination?: LogDestination | string;
  /** For people at a terminal instead of JSON. Default false. */
  readonly pretty?: boolean;
}

/** How far the causes of an error are followed. */
const CAUSES_MAX = 5;

/** Fields: `level` as a word, `time` as ISO 8601, `msg`, and those of the event. */
export function createLogger({ level = 'info', destination, pretty = false }: LoggerOptions = {}): Logger {
  const stream: LogDestination =
    typeof destination === 'object' ? destination : openDestination({ dest: destination ?? 1, sync: true, append: true, mkdir: true });
  const clean = { write: (line: string) => stream.write(pretty ? prettyLine(scrub(line)) : scrub(line)) };
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_NAMES.flatMap(pathsOf), censor: REDACTED },
      serializers: { err: (error: unknown) => errorFields(error), error: (error: unknown) => errorFields(error) },
    },
    clean,
  );
}

/** At the top, and up to two levels down; deeper ones are found by `scrub` in the line. */
function pathsOf(name: string): string[] {
  const key = /^\w+$/.test(name) ? name : `["${name}"]`;
  const below = key.startsWith('[') ? key : `.${key}`;
  return [key, `*${below}`, `*.*${below}`];
}

interface ErrorFields {
  readonly type: string;
  readonly code?: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: ErrorFields;
  readonly errors?: readonly ErrorFields[];
}

/** What may be written of an error, its causes included. Anything else that was thrown: what it is, in a word. */
function errorFields(error: unknown, depth = 0): ErrorFields {
  if (!(error instanceof Error))
    return { type: typeof error, message: typeof error === 'string' ? error : 'something that is no Error was thrown' };
  const { name, message, stack, cause } = error;
  const code = error instanceof HoldfastError ? error.code : (error as { readonly code?: unknown }).code;
  const isDeep = depth >= CAUSES_MAX;
  return {
    type: String(name),
    ...(typeof code === 'string' ? { code } : {}),
    message: String(message),
    ...(typeof stack === 'string' ? { stack } : {}),
    ...(cause === undefined || isDeep ? {} : { cause: errorFields(cause, depth + 1) }),
    ...(error instanceof AggregateError && !isDeep
      ? { errors: error.errors.slice(0, CAUSES_MAX).map((one) => errorFields(one, depth + 1)) }
      : {}),
  };
}
