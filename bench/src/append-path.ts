/** The whole path of a durable publish: client, socket, hub, fsync, acknowledgement; the server in its own process. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createClient } from '@holdfast/client';
import { WebSocket } from 'ws';
import { payload200 } from './append-hub.ts';
import { percentile } from './percentile.ts';

export interface PathLoad {
  /** An empty folder for the server's store. */
  readonly directory: string;
  readonly clients: number;
  /** Unanswered publishes of each client. */
  readonly inFlight: number;
  readonly topics: number;
  readonly durationMs: number;
}

export interface PathFigures {
  readonly appendsPerSecond: number;
  /** From the call of `publish` to the settling of its promise, ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function measurePath({ directory, clients, inFlight, topics, durationMs }: PathLoad): Promise<PathFigures> {
  const server = spawn(process.execPath, [fileURLToPath(new URL('append-server.js', import.meta.url)), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [url] = (await once(createInterface(server.stdout), 'line')) as [string];
  const senders = Array.from({ length: clients }, (_, at) => createClient({ url, token: `bench-${at}`, WebSocket }));
  const latencies: number[] = [];
  let counter = 0;
  const run = async (sender: (typeof senders)[number], untilMs: number): Promise<void> => {
    while (performance.now() < untilMs) {
      counter += 1;
      const topic = sender.topic(`bench/${counter % topics}`);
      const startedMs = performance.now();
      await topic.publish(payload200(counter));
      latencies.push(performance.now() - startedMs);
    }
  };
  const runAll = (ms: number): Promise<unknown> => {
    const untilMs = performance.now() + ms;
    return Promise.all(senders.flatMap((sender) => Array.from({ length: inFlight }, () => run(sender, untilMs))));
  };
  await runAll(Math.min(1_500, durationMs / 3));
  latencies.length = 0;
  const startedMs = performance.now();
  await runAll(durationMs);
  const seconds = (performance.now() - startedMs) / 1_000;
  await Promise.all(senders.map((sender) => sender.close()));
  server.kill('SIGTERM');
  await once(server, 'exit');
  return { appendsPerSecond: latencies.length / seconds, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
}
