/**
 * Holds a topic's log against the file that it should be: every line that says something exactly once, unaltered, by its own
 * nick, each nick's lines in their order (PROTOCOL.md HF-6.2, HF-6.11). Entries are given one after the other.
 */

import type { EntryRecord } from '@holdfast/wire';
import { isUtterance, parseLine, type Utterance } from './irc-log.ts';
import { legalName } from './legal-name.ts';
import type { Ledger } from './ledger.ts';
import type { LineData } from './play.ts';

export class LogCheck {
  readonly #name: string;
  readonly #lines: readonly string[];
  readonly #ledger: Ledger;
  /** The offset at which each line is, by its number. */
  readonly #offsets = new Map<number, number>();
  readonly #lastLines = new Map<string, number>();
  readonly #lastSeqs = new Map<string, number>();
  #lastOffset = 0;

  constructor(name: string, lines: readonly string[], ledger: Ledger) {
    this.#name = name;
    this.#lines = lines;
    this.#ledger = ledger;
  }

  entry(entry: EntryRecord): void {
    const { offset, producer, seq, from } = entry;
    if (offset !== this.#lastOffset + 1) this.#ledger.report('altered', `${this.#name}: offset ${offset} after ${this.#lastOffset}`);
    this.#lastOffset = offset;
    // One entry per publish, so a producer's seqs are dense here too.
    const lastSeq = this.#lastSeqs.get(`${producer} ${from}`) ?? 0;
    if (seq !== lastSeq + 1)
      this.#ledger.report('altered', `${this.#name}: offset ${offset} has seq ${seq} of ${producer} after ${lastSeq}`);
    this.#lastSeqs.set(`${producer} ${from}`, seq);
    const said = entry.data as unknown as LineData;
    const line = this.#utteranceAt(said.line);
    if (said.file !== this.#name || line === undefined) {
      this.#ledger.report('foreign', `${this.#name}: offset ${offset} says ${JSON.stringify(entry.data).slice(0, 200)}`);
      return;
    }
    this.#compare(entry, said, line);
  }

  /** After the last entry: what is not in the log. */
  end(): void {
    this.#lines.forEach((text, index) => {
      const number = index + 1;
      if (isUtterance(parseLine(text)) && !this.#offsets.has(number))
        this.#ledger.report('lost', `${this.#name}:${number}: ${text.slice(0, 120)}`);
    });
  }

  #utteranceAt(number: number): Utterance | undefined {
    const text = Number.isInteger(number) ? this.#lines[number - 1] : undefined;
    const line = text === undefined ? undefined : parseLine(text);
    return line !== undefined && isUtterance(line) ? line : undefined;
  }

  #compare({ offset, from }: EntryRecord, said: LineData, { kind, nick, text }: Utterance): void {
    const where = `${this.#name}:${said.line}`;
    if (said.kind !== kind || said.nick !== nick || said.text !== text || from !== legalName(nick)) {
      this.#ledger.report('altered', `${where} at offset ${offset}, from ${from}: ${JSON.stringify(said).slice(0, 200)}`);
    }
    const earlier = this.#offsets.get(said.line);
    if (earlier !== undefined) this.#ledger.report('duplicated', `${where} at the offsets ${earlier} and ${offset}`);
    else {
      const lastLine = this.#lastLines.get(nick) ?? 0;
      if (said.line < lastLine) this.#ledger.report('reordered', `${where} of ${nick} at offset ${offset}, after line ${lastLine}`);
      this.#lastLines.set(nick, said.line);
    }
    this.#offsets.set(said.line, offset);
  }
}
