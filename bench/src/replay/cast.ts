/**
 * Who is on the stage: a participant per nick, made at its first line and closed after its last one, so that there are never
 * more connections than the logs need at that moment.
 */

import { readFileSync } from 'node:fs';
import { isUtterance, linesOf, parseLine, type IrcLine, type LogFile } from './irc-log.ts';
import type { Ledger } from './ledger.ts';
import type { Links } from './link.ts';
import { Participant, type Tally } from './participant.ts';

export interface CastOptions {
  readonly url: string;
  readonly links: Links;
  readonly ledger: Ledger;
}

export class Cast {
  readonly tally: Tally = { acknowledged: 0, duplicates: 0, read: 0, entered: 0, left: 0, enterRefusals: new Map() };
  readonly #options: CastOptions;
  readonly #participants = new Map<string, Participant>();
  /** Lines of each nick that are still to come. */
  readonly #remaining = new Map<string, number>();
  /** Who joined each topic and did not part. */
  readonly #members = new Map<string, Set<string>>();
  readonly #closing = new Set<Promise<void>>();
  #expectedCount = 0;
  #count = 0;
  #countMax = 0;

  constructor(options: CastOptions) {
    this.#options = options;
  }

  /** Counts the lines of a file, so that it is known which one is a nick's last. */
  expect({ path }: LogFile): void {
    for (const text of linesOf(readFileSync(path, 'utf8'))) {
      const line = parseLine(text);
      if (isUtterance(line)) this.#expectedCount += 1;
      for (const nick of nicksIn(line)) this.#remaining.set(nick, (this.#remaining.get(nick) ?? 0) + 1);
    }
  }

  /** How many lines there are to publish. */
  get expectedCount(): number {
    return this.#expectedCount;
  }

  /** How many nicks there were so far. */
  get count(): number {
    return this.#count;
  }

  get connectedCount(): number {
    return this.#participants.size;
  }

  /** The most that were there at a time. */
  get countMax(): number {
    return this.#countMax;
  }

  /** The nicks that wait for answers. */
  get busyNicks(): string[] {
    return [...this.#participants.keys()].filter((nick) => this.isBusy(nick));
  }

  /** Whether a nick has publishes under way. */
  isBusy(nick: string): boolean {
    return (this.#participants.get(nick)?.unanswered ?? 0) > 0;
  }

  get(nick: string): Participant {
    const known = this.#participants.get(nick);
    if (known !== undefined) return known;
    const { url, links, ledger } = this.#options;
    const participant = new Participant({ nick, url, socket: links.factory(nick), ledger, tally: this.tally });
    this.#participants.set(nick, participant);
    this.#count += 1;
    this.#countMax = Math.max(this.#countMax, this.#participants.size);
    return participant;
  }

  join(nick: string, topic: string): void {
    this.get(nick).join(topic);
    const members = this.#members.get(topic) ?? new Set();
    this.#members.set(topic, members.add(nick));
  }

  /** Says whether it was there. */
  part(nick: string, topic: string): boolean {
    const wasThere = this.#members.get(topic)?.delete(nick) === true;
    if (wasThere) this.get(nick).part(topic);
    return wasThere;
  }

  /** A line was carried out: who has none left leaves the stage. */
  played(line: IrcLine): void {
    for (const nick of nicksIn(line)) {
      this.#remaining.set(nick, this.#remaining.get(nick)! - 1);
      this.#release(nick);
    }
  }

  /** A file is over: who is still there leaves. */
  ended(topic: string): void {
    for (const nick of this.#members.get(topic) ?? []) {
      this.part(nick, topic);
      this.#release(nick);
    }
    this.#members.delete(topic);
  }

  /** Call when a publish of a nick was answered. */
  answered(nick: string): void {
    this.#release(nick);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#participants.values()].map((participant) => participant.close()));
    await Promise.all(this.#closing);
  }

  #release(nick: string): void {
    const participant = this.#participants.get(nick);
    if (participant === undefined || participant.isMember || participant.unanswered > 0 || this.#remaining.get(nick)! > 0) return;
    this.#participants.delete(nick);
    const closing = participant.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

function nicksIn(line: IrcLine): string[] {
  if (line.kind === 'other') return [];
  return line.kind === 'rename' ? [line.nick, line.newNick] : [line.nick];
}
