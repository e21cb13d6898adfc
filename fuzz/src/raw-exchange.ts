/** Bytes over a real TCP connection, as a stranger would write them, and everything that comes back until the server has ended it. */

import { connect } from 'node:net';
import { Violation } from './target.ts';

/** Within this time after the stranger has ended, the server has ended too, ms. */
const END_MS = 5_000;

/** Writes the pieces one after the other, each after the one before has left, then ends; `reset`: is gone at once. */
export function exchange(port: number, pieces: readonly Uint8Array[], reset = false): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new Violation(
          `the server keeps a connection whose peer has ended; it said ${Buffer.concat(chunks).toString('latin1').slice(0, 300)}`,
        ),
      );
    }, END_MS);
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
    socket.on('end', () => socket.end());
    // A server may drop who does not behave: what it said before counts.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
    socket.on('connect', () => {
      const write = (at: number): void => {
        const piece = pieces[at];
        if (piece !== undefined && !socket.destroyed && socket.writable) return void socket.write(piece, () => setImmediate(write, at + 1));
        if (reset) socket.resetAndDestroy();
        else socket.end();
      };
      write(0);
    });
  });
}

/** The statuses of all responses in a stream of HTTP/1.1, as far as they can be told apart. */
export function statusesOf(answer: Buffer): number[] {
  return [...answer.toString('latin1').matchAll(/(?:^|\r\n|[\s\S])HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n/g)].map(([, status]) => Number(status));
}
