/** What is left of channels that are over: a process opens and closes many of them, and this one is their server. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { WebSocketServer } from 'ws';
import type { CycleReport } from './channel-cycler.ts';

export interface CycleRow extends CycleReport {
  readonly cycles: number;
  /** Connections that the server still has when the other process is done. */
  readonly serverConnections: number;
}

/** Opens and closes so many channels in a process of their own, against a server in this one. */
export async function cycleChannels(cycles: number): Promise<CycleRow> {
  const acceptor = new WebSocketServer({ noServer: true });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    if (request.url === '/refused') return void socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    acceptor.handleUpgrade(request, socket, head, (peer) => {
      if (request.url === '/peer') peer.close(4000, 'enough');
      peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary }));
      peer.on('error', () => {});
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const program = fileURLToPath(new URL('channel-cycler.js', import.meta.url.replace('/src/', '/dist/')));
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, url, String(cycles)]);
    const report = JSON.parse(stdout) as CycleReport;
    return { cycles, ...report, serverConnections: await promisify(server.getConnections.bind(server))() };
  } finally {
    server.close();
    await once(server, 'close');
  }
}

/** What must not be: memory or handles that stay, or a channel that ended in another way than it was made to. */
export function leaksOf(row: CycleRow): readonly string[] {
  const grownBytes = row.heapBytesAfter - row.heapBytesBefore;
  const expected = { 'local 1000': 0.4, 'peer 4000': 0.2, 'local 1006': 0.2, 'peer 1006': 0.2 };
  const wrong = Object.entries(expected).filter(([end, share]) => row.ends[end] !== row.cycles * share);
  return [
    ...(grownBytes > 2 ** 20 ? [`the heap grew by ${grownBytes} bytes`] : []),
    ...(row.handlesAfter.join() === row.handlesBefore.join()
      ? []
      : [`handles: ${row.handlesAfter.join(', ')}; before: ${row.handlesBefore.join(', ')}`]),
    ...(row.serverConnections === 0 ? [] : [`the server has ${row.serverConnections} connections`]),
    ...(wrong.length === 0 ? [] : [`ends: ${JSON.stringify(row.ends)}`]),
  ];
}

export function cycleTable({
  cycles,
  seconds,
  heapBytesBefore,
  heapBytesAfter,
  handlesAfter,
  handlesBefore,
  serverConnections,
}: CycleRow): string {
  return [
    '| channels | seconds | heap before, kB | heap after, kB | handles more | connections at the server |',
    '|---:|---:|---:|---:|---:|---:|',
    `| ${cycles.toLocaleString('en-US')} | ${seconds} | ${Math.round(heapBytesBefore / 1_000)} | ${Math.round(heapBytesAfter / 1_000)} | ${handlesAfter.length - handlesBefore.length} | ${serverConnections} |`,
  ].join('\n');
}
