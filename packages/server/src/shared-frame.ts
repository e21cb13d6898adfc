/**
 * One frame for many sockets: what it says, and a place in which the socket adapter keeps what it made of it, so that a
 * fan-out encodes once (PROTOCOL.md HF-9.1: it is the same bytes for everybody).
 */

export class SharedFrame {
  /** Text, or the bytes of a binary frame. */
  readonly content: string | Uint8Array;
  /** The adapter's own. */
  prepared: unknown;

  constructor(content: string | Uint8Array) {
    this.content = content;
  }
}

/** Shared frames that follow each other: who gets all of them can be given them as one piece. */
export class SharedRun {
  readonly frames: readonly SharedFrame[];
  /** Of all contents together. */
  readonly bytes: number;
  /** The adapter's own. */
  prepared: unknown;

  constructor(frames: readonly SharedFrame[]) {
    this.frames = frames;
    this.bytes = frames.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
  }
}

/** What a socket is given to send: a frame for it alone, or one that others get too. */
export type Frame = string | Uint8Array | SharedFrame;

/** What a frame says. */
export function contentOf(frame: Frame): string | Uint8Array {
  return frame instanceof SharedFrame ? frame.content : frame;
}
