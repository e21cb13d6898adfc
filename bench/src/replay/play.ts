/**
 * The play: the lines of all files, one of each file in turn, carried out by their nicks. Each nick's lines are given in
 * their order; at most so many publishes are unanswered over all. Only the files in play are in memory.
 */

import { readFileSync } from 'node:fs';
import type { Cast } from './cast.ts';
import { isUtterance, LINE_KINDS, linesOf, parseLine, type IrcLine, type LineKind, type LogFile } from './irc-log.ts';

/** Files that are read at the same time; with more the later ones wait. */
const FILES_AT_ONCE = 64;

/** What an entry of a line holds. Lines are counted from 1. */
export interface LineData {
  readonly file: string;
  readonly line: number;
  readonly kind: LineKind;
  readonly nick: string;
  readonly text: string;
}

interface Scene {
  readonly file: LogFile;
  readonly lines: readonly string[];
  next: number;
}

export class Play {
  /** How many lines of each kind were carried out. */
  readonly counts: Record<LineKind, number> = Object.fromEntries(LINE_KINDS.map((kind) => [kind, 0])) as Record<LineKind, number>;
  readonly #cast: Cast;
  readonly #files: readonly LogFile[];
  readonly #inFlightMax: number;
  #inFlight = 0;
  #answered = 0;
  #onRoom: (() => void) | undefined;
  #isStopped = false;

  constructor(files: readonly LogFile[], cast: Cast, inFlightMax: number) {
    this.#files = files;
    this.#cast = cast;
    this.#inFlightMax = inFlightMax;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Publishes whose outcome is known. */
  get answered(): number {
    return this.#answered;
  }

  /** No further line is carried out. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when every line is carried out and every publish answered. */
  async run(): Promise<void> {
    const waiting = [...this.#files];
    let scenes: Scene[] = [];
    while (waiting.length > 0 || scenes.length > 0) {
      while (scenes.length < FILES_AT_ONCE && waiting.length > 0) scenes.push(open(waiting.shift()!));
      for (const scene of scenes) {
        if (this.#isStopped) return;
        await this.#line(scene);
      }
      for (const { file } of scenes.filter(isOver)) this.#cast.ended(file.topic);
      scenes = scenes.filter((scene) => !isOver(scene));
    }
    while (this.#inFlight > 0) await this.#room();
  }

  async #line(scene: Scene): Promise<void> {
    const text = scene.lines[scene.next];
    if (text === undefined) return;
    scene.next += 1;
    const line = parseLine(text);
    this.counts[line.kind] += 1;
    const { topic, name } = scene.file;
    if (isUtterance(line)) {
      while (this.#inFlight >= this.#inFlightMax) await this.#room();
      if (this.#isStopped) return;
      this.#publish(topic, { file: name, line: scene.next, kind: line.kind, nick: line.nick, text: line.text });
    } else this.#move(line, topic);
    this.#cast.played(line);
  }

  #publish(topic: string, data: LineData): void {
    this.#inFlight += 1;
    void this.#cast
      .get(data.nick)
      .publish(topic, { ...data })
      .then(() => {
        this.#inFlight -= 1;
        this.#answered += 1;
        this.#cast.answered(data.nick);
        this.#onRoom?.();
      });
  }

  #move(line: IrcLine, topic: string): void {
    if (line.kind === 'join') this.#cast.join(line.nick, topic);
    else if (line.kind === 'part') this.#cast.part(line.nick, topic);
    else if (line.kind === 'rename' && this.#cast.part(line.nick, topic)) this.#cast.join(line.newNick, topic);
  }

  #room(): Promise<void> {
    return new Promise((resolve) => (this.#onRoom = resolve));
  }
}

function open(file: LogFile): Scene {
  return { file, lines: linesOf(readFileSync(file.path, 'utf8')), next: 0 };
}

function isOver({ lines, next }: Scene): boolean {
  return next >= lines.length;
}
