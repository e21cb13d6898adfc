/**
 * Faults to plant, to see that they are found: each changes the text of one built module while it is being loaded. The
 * product has no switch for it; a fault whose text is no longer there fails loudly.
 */

export interface Fault {
  readonly name: string;
  readonly does: string;
  readonly target: string;
  /** Such as `packages/wire/binary`. */
  readonly module: string;
  /** Must be in the module exactly once. */
  readonly find: string;
  readonly replace: string;
  /** What the failure says. */
  readonly foundAs: RegExp;
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'string-past-the-end',
    does: 'a binary frame that ends within a string throws something that nobody expects',
    target: 'binary-frames',
    module: 'packages/wire/binary',
    find: "throw new HoldfastError('BAD_BINARY', 'the frame ends within a string')",
    replace: "throw new RangeError('offset is out of bounds')",
    foundAs: /RangeError/,
  },
  {
    name: 'endless-number',
    does: 'a binary frame that ends within a number is read for ever',
    target: 'text-frames',
    module: 'packages/wire/binary',
    find: "throw new HoldfastError('BAD_BINARY', 'the frame ends within a number');",
    replace: '{ step -= 1; continue; }',
    foundAs: /did not return/,
  },
  {
    name: 'frames-kept',
    does: 'the server keeps every frame that it could not understand',
    target: 'text-frames',
    module: 'packages/wire/server-session',
    find: 'this.#errorCount += 1;',
    replace: 'this.#errorCount += 1; (globalThis.keptFrames ??= []).push(`${frame}`.padEnd(2_000).split(""));',
    foundAs: /heap/,
  },
  {
    name: 'connections-kept',
    does: 'the hub does not forget a connection that has gone',
    target: 'text-frames',
    module: 'packages/server/hub',
    find: 'this.#connections.delete(connection);',
    replace: '',
    foundAs: /connections/,
  },
  {
    name: 'ticket-used-twice',
    does: 'a ticket stays good after it was used',
    target: 'tokens',
    module: 'packages/auth/ticket',
    find: 'drop(hash, found);',
    replace: '',
    foundAs: /twice/,
  },
];

/** The text with the fault in it. Throws if the text to be changed is not there exactly once: then the list has rotted. */
export function plant(source: string, { name, module, find, replace }: Fault): string {
  const count = source.split(find).length - 1;
  if (count !== 1) throw new Error(`the fault "${name}" wants its text exactly once in ${module}, and finds it ${count} times`);
  return source.replace(find, () => replace);
}
