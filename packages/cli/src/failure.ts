/**
 * What a command says when it cannot do what was asked: one line with the way to mend it, and an exit code. A stack trace
 * is for bugs only.
 */

import { HoldfastError, type ErrorCode } from '@holdfast/wire';
import { ERROR_TEXTS } from '@holdfast/wire/texts';
import { ConfigurationError } from './configuration.ts';

/** What the process ends with. A second signal ends it with 128 and the signal's number. */
export const EXIT_CODES = { ok: 0, failure: 1, usage: 2 } as const;

/** The command line asks for something that does not exist: exit code 2. */
export class UsageError extends Error {}

/** An expected failure: exit code 1. `message` ends without a full stop; `hint` is a sentence. */
export class CommandFailure extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

export interface Explanation {
  /** What went wrong and how to mend it; for a bug, the stack. */
  readonly text: string;
  readonly exitCode: number;
  /** The help of the command says more. */
  readonly seeHelp?: true;
}

/** Turns whatever was thrown into what is printed and the exit code. */
export function explain(error: unknown): Explanation {
  if (error instanceof UsageError) return { text: sentence(error.message), exitCode: EXIT_CODES.usage, seeHelp: true };
  if (error instanceof ConfigurationError) return { text: problemsText(error.problems), exitCode: EXIT_CODES.usage };
  if (error instanceof CommandFailure) return failure(error.message, error.hint);
  // `INTERNAL` comes from the server: what it means is in that program's log.
  if (error instanceof HoldfastError) return failure(error.message, commandLineHint(error));
  const system = systemMessage(error);
  if (system !== undefined) return failure(system);
  return { text: error instanceof Error ? (error.stack ?? error.message) : String(error), exitCode: EXIT_CODES.failure };
}

const FRESH_TOKEN = 'Give one that is good with --token, or in HOLDFAST_TOKEN';

/** The table's hints are for who writes a program. These help at a command line, or say nothing where the message says all. */
const COMMAND_LINE_HINTS: Partial<Record<ErrorCode, string>> = {
  UNAUTHENTICATED: FRESH_TOKEN,
  TOKEN_EXPIRED: FRESH_TOKEN,
  FORBIDDEN: '',
  REFUSED: '',
  USAGE: '',
};

/** How to mend it, for who sits at a command line. Empty where the message says that itself. */
export function commandLineHint({ code, hint }: HoldfastError): string {
  return hint === ERROR_TEXTS[code].hint ? (COMMAND_LINE_HINTS[code] ?? hint) : hint;
}

function problemsText(problems: readonly string[]): string {
  if (problems.length === 1) return sentence(problems[0]!);
  return [`${problems.length} things are wrong with the settings:`, ...problems.map(sentence)].join('\n  ');
}

/** One line: message and hint, each closed by one full stop. */
function failure(message: string, hint?: string): Explanation {
  const parts = hint === undefined || hint === '' ? [message] : [message, hint];
  return { text: parts.map(sentence).join(' '), exitCode: EXIT_CODES.failure };
}

function sentence(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, ' ').trim();
  return /[.?!]$/.test(line) ? line : `${line}.`;
}

const SYSTEM_MESSAGES: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read or written by this user',
  EPERM: 'may not be read or written by this user',
  EROFS: 'is on a read-only file system',
  EISDIR: 'is a folder',
  ENOTDIR: 'is not a folder',
  ENOSPC: 'cannot be written: the disk is full',
};

/** The operating system's errors about files, in words. `undefined` for everything else. */
function systemMessage(error: unknown): string | undefined {
  const { code, path } = error as NodeJS.ErrnoException;
  const words = code === undefined ? undefined : SYSTEM_MESSAGES[code];
  return words === undefined || path === undefined ? undefined : `${path} ${words} (${code})`;
}
