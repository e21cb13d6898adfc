/**
 * A folder as its disk has it, and what the disk was told since it was last made to sync. What a power cut may leave: all
 * that was synced, and of the rest anything. Each write may be there, be missing, or be there for a run of its sectors only,
 * and those that are there may have reached the disk in another order; the same of files made, renamed and deleted, whose
 * names are safe only when the folder was synced. (Usual file systems leave less to chance; POSIX promises no more.)
 *
 * Assumed: a sector is written whole or not at all, and writing one leaves its neighbours alone.
 */

import type { DiskEvent } from './recording.ts';

/** The unit that a disk writes whole, bytes. */
const SECTOR_BYTES = 512;

type FileChange = Pick<DiskEvent, 'type' | 'offset' | 'bytes'>;
/** One change of the folder: each name with what it stands for from then on. Whole or not at all. */
type NameChange = readonly (readonly [name: string, file: FileImage | undefined])[];

/** How chance treats what was not synced. */
interface Fate {
  /** How likely a change is to have reached the disk. */
  readonly survival: number;
  readonly isReordered: boolean;
  readonly random: () => number;
}

/** Bytes that grow; what was never written reads as zeros. */
class Content {
  #bytes: Buffer;
  #length: number;

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#bytes = Buffer.from(bytes);
    this.#length = bytes.length;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  apply({ type, offset, bytes }: FileChange): void {
    const length = type === 'T' ? offset : Math.max(this.#length, offset + bytes.length);
    if (length > this.#bytes.length) {
      const larger = Buffer.alloc(length * 2);
      this.bytes.copy(larger);
      this.#bytes = larger;
    }
    if (length < this.#length) this.#bytes.fill(0, length, this.#length);
    this.#length = length;
    if (type === 'W') bytes.copy(this.#bytes, offset);
  }
}

class FileImage {
  readonly #synced = new Content();
  #unsynced: FileChange[] = [];

  get unsyncedCount(): number {
    return this.#unsynced.length;
  }

  change(change: FileChange): void {
    this.#unsynced.push(change);
  }

  sync(): void {
    for (const change of this.#unsynced) this.#synced.apply(change);
    this.#unsynced = [];
  }

  afterCut(fate: Fate): Buffer {
    const content = new Content(this.#synced.bytes);
    for (const change of fate.isReordered ? reordered(this.#unsynced, fate.random) : this.#unsynced) {
      const left = whatIsLeft(change, fate);
      if (left !== undefined) content.apply(left);
    }
    return content.bytes;
  }
}

export class DiskImage {
  /** As the running process sees it. */
  readonly #names = new Map<string, FileImage>();
  readonly #syncedNames = new Map<string, FileImage>();
  #unsyncedNames: NameChange[] = [];

  /** Changes of all files and names that no sync has confirmed. */
  get unsyncedCount(): number {
    return [...this.#names.values()].reduce((sum, { unsyncedCount }) => sum + unsyncedCount, this.#unsyncedNames.length);
  }

  take(event: DiskEvent): void {
    const { type, name } = event;
    if (type === 'C') this.#rename([[name, new FileImage()]]);
    else if (type === 'D') this.#rename([[name, undefined]]);
    else if (type === 'R') {
      this.#rename([
        [name, undefined],
        [event.bytes.toString('latin1'), this.#file(name)],
      ]);
    } else if (type === 'W' || type === 'T') this.#file(name).change(event);
    else if (type === 'S' && name !== '.') this.#file(name).sync();
    else if (type === 'S') {
      for (const change of this.#unsyncedNames) setNames(this.#syncedNames, change);
      this.#unsyncedNames = [];
    }
  }

  /** The files that a power cut at this moment may leave, by name: one of many possible outcomes. */
  afterCut(random: () => number): Map<string, Buffer> {
    const survivals = [0, 0.1, 0.5, 0.9, 0.99];
    const fate: Fate = { survival: survivals[Math.floor(random() * survivals.length)]!, isReordered: random() < 0.3, random };
    const names = new Map(this.#syncedNames);
    for (const change of this.#unsyncedNames) if (random() < fate.survival) setNames(names, change);
    return new Map([...names].map(([name, file]) => [name, file.afterCut(fate)]));
  }

  #rename(change: NameChange): void {
    setNames(this.#names, change);
    this.#unsyncedNames.push(change);
  }

  #file(name: string): FileImage {
    const file = this.#names.get(name);
    if (file === undefined) throw new Error(`"${name}" was changed under a name that it does not have.`);
    return file;
  }
}

function setNames(names: Map<string, FileImage>, change: NameChange): void {
  for (const [name, file] of change) {
    if (file === undefined) names.delete(name);
    else names.set(name, file);
  }
}

/** What of a change has reached the disk: all, nothing, or of a write a run of its sectors. */
function whatIsLeft(change: FileChange, { survival, random }: Fate): FileChange | undefined {
  if (random() < survival) return change;
  if (change.type !== 'W' || random() < 0.7) return undefined;
  const { offset, bytes } = change;
  const end = offset + bytes.length;
  const sectorCount = Math.ceil(end / SECTOR_BYTES) - Math.floor(offset / SECTOR_BYTES);
  const bounds = [random(), random()].map((at) => (Math.floor(offset / SECTOR_BYTES) + Math.floor(at * (sectorCount + 1))) * SECTOR_BYTES);
  const from = Math.max(offset, Math.min(...bounds));
  const to = Math.min(end, Math.max(...bounds));
  return to > from ? { type: 'W', offset: from, bytes: bytes.subarray(from - offset, to - offset) } : undefined;
}

/** The same changes with their writes shuffled; none crosses a truncation, after which the older sectors are no longer the file's. */
function reordered(changes: readonly FileChange[], random: () => number): FileChange[] {
  const order = [...changes];
  let start = 0;
  for (let end = 0; end <= order.length; end++) {
    if (order[end]?.type === 'W') continue;
    for (let at = end - 1; at > start; at--) {
      const other = start + Math.floor(random() * (at - start + 1));
      [order[at], order[other]] = [order[other]!, order[at]!];
    }
    start = end + 1;
  }
  return order;
}
