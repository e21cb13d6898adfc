/**
 * IRC logs in the format of jkkummerfeld/irc-disentanglement (CC-BY-4.0; Kummerfeld et al., ACL 2019): what each line is.
 * Every line is something; what is not recognised is `other`, never dropped.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { legalTopicSegment } from './legal-name.ts';

/** What somebody said; these become entries. */
export interface Utterance {
  readonly kind: 'message' | 'action' | 'notice';
  readonly nick: string;
  readonly text: string;
}

export type IrcLine =
  | Utterance
  | { readonly kind: 'join' | 'part'; readonly nick: string }
  | { readonly kind: 'rename'; readonly nick: string; readonly newNick: string }
  | { readonly kind: 'other' };

export type LineKind = IrcLine['kind'];

export const LINE_KINDS: readonly LineKind[] = ['message', 'action', 'notice', 'join', 'part', 'rename', 'other'];

const MESSAGE = /^\[\d\d:\d\d\] <([^>]+)> ?(.*)$/s;
const ACTION = /^\[\d\d:\d\d\] {2}\* (\S+) ?(.*)$/s;
const NOTICE = /^\[\d\d:\d\d\] -([^:\s]+):#\S*- ?(.*)$/s;
const JOIN = /^=== (.+?) +\[[^\]]*\] +has joined #/;
const PART = /^=== (.+?) +\[[^\]]*\] +has (?:left|quit)\b/;
const RENAME = /^=== (\S+) is now known as (\S+)$/;

export function parseLine(line: string): IrcLine {
  for (const [kind, pattern] of [
    ['message', MESSAGE],
    ['action', ACTION],
    ['notice', NOTICE],
  ] as const) {
    const match = pattern.exec(line);
    if (match !== null) return { kind, nick: match[1]!, text: match[2]! };
  }
  const rename = RENAME.exec(line);
  if (rename !== null) return { kind: 'rename', nick: rename[1]!, newNick: rename[2]! };
  const join = JOIN.exec(line);
  if (join !== null) return { kind: 'join', nick: join[1]! };
  const part = PART.exec(line);
  return part === null ? { kind: 'other' } : { kind: 'part', nick: part[1]! };
}

export function isUtterance(line: IrcLine): line is Utterance {
  return line.kind === 'message' || line.kind === 'action' || line.kind === 'notice';
}

/** The lines of a file's text. A file ends with a line feed, which begins no further line; a carriage return is text. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

export interface LogFile {
  readonly name: string;
  readonly path: string;
  readonly topic: string;
}

/** In a clone of that repository the same lines lie there again in other forms; those, and what is no log, are left out. */
const NO_LOG = /\.(?:ascii|tok|annotation)\.txt$|^(?:license|readme)\b/i;

/** The logs of a folder, by name. */
export function logFilesIn(folder: string, countMax: number): LogFile[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt') && !NO_LOG.test(name));
  return names
    .sort()
    .slice(0, countMax)
    .map((name) => ({ name, path: join(folder, name), topic: `irc/${legalTopicSegment(name.slice(0, -4))}` }));
}
