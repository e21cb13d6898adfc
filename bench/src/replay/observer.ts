/**
 * One observer: follows all topics from their first entry, and keeps in its folder what it saw together with its positions,
 * such that another run, or another process, goes on exactly there: what was written after the stored positions is cut off
 * again, so every record counts once (PROTOCOL.md HF-5.9).
 */

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, type Client, type Item, type SocketFactory, type TopicReader } from '@holdfast/client';
import type { BackoffOptions, Position } from '@holdfast/wire';
import { RecordFile, recordOf } from './record.ts';

export interface ObserverOptions {
  /** Its name, which is its subject and its client too. */
  readonly name: string;
  readonly url: string;
  readonly folder: string;
  readonly topics: readonly string[];
  readonly socket: SocketFactory;
  /** Entries that may wait for it (HF-7.1). */
  readonly window: number;
  /** A nap of so long, ms, after every few entries of whatever topic, until it is told to hurry; 0: none. */
  readonly napMs: number;
  readonly backoff: BackoffOptions;
}

/** Where it stands in one topic: the position, and the length of the records up to it. */
interface Place {
  position: Position | undefined;
  bytes: number;
}

const CHECKPOINT_INTERVAL_MS = 200;
const NAP_EVERY = 16;
/** More than any log has: from its first entry on. */
const ALL = 1_000_000_000;

export class Observer {
  readonly #options: ObserverOptions;
  readonly #client: Client;
  readonly #places = new Map<string, Place>();
  readonly #files = new Map<string, RecordFile>();
  readonly #readers: TopicReader[] = [];
  readonly #loops: Promise<void>[];
  readonly #timer: NodeJS.Timeout;
  readonly #failed: Promise<never>;
  #isHurried = false;
  #entryCount = 0;
  #nap: Promise<void> = Promise.resolve();

  /** Begins at once, where the folder says. */
  constructor(options: ObserverOptions) {
    this.#options = options;
    const { name, url, folder, socket, topics, window, backoff } = options;
    mkdirSync(folder, { recursive: true });
    this.#client = createClient({ url, token: name, client: name, socket, window, backoff });
    const stored = loadPlaces(folder);
    topics.forEach((topic, index) => {
      const place = stored[topic] ?? { position: undefined, bytes: 0 };
      this.#places.set(topic, place);
      this.#files.set(topic, new RecordFile(recordPath(folder, index), place.bytes));
    });
    let fail: (error: unknown) => void;
    this.#failed = new Promise((_resolve, reject) => (fail = reject));
    this.#loops = topics.map((topic) => this.#follow(topic).catch((error: unknown) => fail(error)));
    this.#failed.catch(() => {});
    this.#timer = setInterval(() => this.checkpoint(), CHECKPOINT_INTERVAL_MS);
  }

  /** The offset of the last processed entry, by topic. */
  offsets(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#places].map(([topic, { position }]) => [topic, position?.offset ?? 0]));
  }

  /** Rejects if a subscription is refused. */
  get failed(): Promise<never> {
    return this.#failed;
  }

  /** No more naps. */
  hurry(): void {
    this.#isHurried = true;
  }

  /** Stores records and positions. What stands in the folder's positions is in its records. */
  checkpoint(): void {
    for (const file of this.#files.values()) file.flush();
    const path = placesPath(this.#options.folder);
    writeFileSync(`${path}.part`, JSON.stringify(Object.fromEntries(this.#places)));
    renameSync(`${path}.part`, path);
  }

  /** Ends in order, with a checkpoint. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const reader of this.#readers) reader.close();
    this.hurry();
    await Promise.all(this.#loops);
    await this.#client.close();
    this.checkpoint();
    for (const file of this.#files.values()) file.close();
  }

  async #follow(topic: string): Promise<void> {
    const place = this.#places.get(topic)!;
    const file = this.#files.get(topic)!;
    const reader = this.#client.topic(topic).items(place.position === undefined ? { last: ALL } : { position: place.position });
    this.#readers.push(reader);
    for (;;) {
      // Asking for the next item says that the one before is processed: its record and the position belong together.
      const next = reader.next();
      place.position = reader.position;
      place.bytes = file.bytes;
      const { done, value: item } = await next;
      if (done === true) return;
      file.append(textOf(item));
      if (item.type === 'entry') await this.#tire();
    }
  }

  /** While it naps it reads nothing, of no topic. */
  async #tire(): Promise<void> {
    const { napMs } = this.#options;
    if (napMs === 0 || this.#isHurried) return;
    this.#entryCount += 1;
    if (this.#entryCount % NAP_EVERY === 0) this.#nap = this.#nap.then(() => new Promise((resolve) => setTimeout(resolve, napMs)));
    await this.#nap;
  }
}

/** Where an observer in `folder` keeps what it saw of the topic with this index. */
export function recordPath(folder: string, topicIndex: number): string {
  return join(folder, `${topicIndex}.records`);
}

function placesPath(folder: string): string {
  return join(folder, 'places.json');
}

function loadPlaces(folder: string): Record<string, Place> {
  const path = placesPath(folder);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, Place>) : {};
}

/** A gap is recorded too: no record of the server's is like it. */
function textOf(item: Item): string {
  if (item.type === 'entry') return recordOf(item);
  return item.type === 'gap' ? `gap ${JSON.stringify(item)}` : `register ${JSON.stringify(item)}`;
}
