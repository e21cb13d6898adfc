/**
 * The process that opens and closes channels: `node --expose-gc channel-cycler.js URL COUNT`. Prints what it held before and
 * after as JSON. By turns a channel is closed by this side, by the peer, called off in the handshake, aborted, refused.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketChannel, type ChannelOptions } from '@holdfast/client';
import { WebSocket } from 'ws';

/** What was held, and how the channels ended. */
export interface CycleReport {
  readonly heapBytesBefore: number;
  readonly heapBytesAfter: number;
  readonly handlesBefore: readonly string[];
  readonly handlesAfter: readonly string[];
  readonly seconds: number;
  /** By kind of end, as `by code`. */
  readonly ends: Readonly<Record<string, number>>;
}

/** Cycles before the first measurement, after which caches and compiled code are there. */
const WARM_UP = 3_000;
const AT_ONCE = 8;

const [url, count] = process.argv.slice(2);
const { gc } = globalThis as { gc?: () => void };
if (url === undefined || gc === undefined) throw new Error('usage: node --expose-gc channel-cycler.js URL COUNT');

const ends: Record<string, number> = {};

async function cycle(turn: number): Promise<void> {
  const kind = turn % 5;
  const controller = new AbortController();
  const options: ChannelOptions = { WebSocket, signal: controller.signal };
  const channel = WebSocketChannel.connect(`${url}/${kind === 1 ? 'peer' : kind === 4 ? 'refused' : 'echo'}`, options);
  if (kind === 2) void channel.sink.close();
  if (kind === 0 || kind === 3) {
    await channel.sink.add('hello');
    for await (const _message of channel.stream) break;
    if (kind === 0) void channel.sink.close(1000);
    else controller.abort();
  }
  const { by, code } = await channel.closed;
  const end = `${by} ${code}`;
  ends[end] = (ends[end] ?? 0) + 1;
}

async function run(cycles: number): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < cycles) await cycle(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** After a while in which sockets that are over have gone. */
async function held(): Promise<{ heapBytes: number; handles: string[] }> {
  await sleep(500);
  for (let n = 0; n < 4; n++) {
    gc!();
    await sleep(50);
  }
  return { heapBytes: process.memoryUsage().heapUsed, handles: process.getActiveResourcesInfo().toSorted() };
}

await run(WARM_UP);
for (const end of Object.keys(ends)) delete ends[end];
const before = await held();
const began = process.hrtime.bigint();
await run(Number(count));
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
const after = await held();
const report: CycleReport = {
  heapBytesBefore: before.heapBytes,
  heapBytesAfter: after.heapBytes,
  handlesBefore: before.handles,
  handlesAfter: after.handles,
  seconds: Math.round(seconds * 10) / 10,
  ends,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
