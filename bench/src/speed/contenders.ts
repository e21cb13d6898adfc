/** The servers that are compared. Those that are not installed are left out, and it is said how to get them. */

import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiled } from '../load/load-generator.ts';
import { versionOf } from '../package-version.ts';
import type { Ability, Contender } from './contender.ts';
import { ServerProcess } from './server-process.ts';

/** Where a peer was installed that is no dependency of this repository, since it weighs a hundred megabytes. */
const PEERS = process.env['HOLDFAST_PEERS'] ?? '';
const BUN = join(PEERS, 'node_modules/@oven/bun-linux-x64/bin/bun');
/** What the client's readers ask for (ARCHITECTURE.md, limits). */
const CLIENT_WINDOW = 256;
const ALL: readonly Ability[] = ['broadcast', 'updates', 'call', 'ack', 'resume'];

const holdfast = (version: string | undefined = versionOf('@holdfast/server')): Pick<Contender, 'protocol' | 'version'> => ({
  protocol: 'holdfast',
  version: () => version,
});

export const CONTENDERS: readonly Contender[] = [
  {
    ...holdfast(),
    name: 'holdfast',
    title: 'Holdfast, in memory',
    abilities: ALL,
    start: () => node('holdfast.mjs'),
  },
  {
    ...holdfast(),
    name: 'holdfast-credit',
    title: 'Holdfast, in memory, credit as its client gives it',
    abilities: ALL,
    subscriber: { credit: CLIENT_WINDOW },
    start: () => node('holdfast.mjs'),
  },
  {
    ...holdfast(),
    name: 'holdfast-disk',
    title: 'Holdfast, on disk before it is acknowledged',
    abilities: [...ALL, 'durable'],
    start: (folder) => node('holdfast.mjs', folder),
  },
  {
    name: 'ws',
    title: '`ws`, one `send` each',
    protocol: 'plain',
    abilities: ['broadcast', 'updates', 'call'],
    version: () => versionOf('ws'),
    start: () => node('ws.mjs'),
  },
  {
    name: 'socket.io',
    title: 'Socket.IO, WebSocket only',
    protocol: 'socket.io',
    abilities: ['broadcast', 'updates', 'call', 'ack'],
    version: () => versionOf('socket.io'),
    start: () => node('socket-io.mjs'),
  },
  {
    name: 'bun',
    title: 'Bun publish',
    protocol: 'plain',
    abilities: ['broadcast', 'call'],
    version: () => (existsSync(BUN) ? printed(BUN, ['--version'], /^([\d.]+)/) : undefined),
    remedy: 'npm install --prefix FOLDER @oven/bun-linux-x64, then HOLDFAST_PEERS=FOLDER',
    start: () => ServerProcess.printing(BUN, [peer('bun.mjs')]),
  },
  {
    name: 'nats',
    title: 'nats-server',
    protocol: 'nats',
    abilities: ['broadcast'],
    version: () => printed('nats-server', ['--version'], /v([\d.]+)/),
    remedy: 'apt-get install nats-server',
    start: (folder) =>
      ServerProcess.told('nats-server', (port) => {
        const config = `listen: "127.0.0.1:-1"\nwebsocket { listen: "127.0.0.1:${port}", no_tls: true, compression: false }\n`;
        return ['-c', written(folder, 'nats.conf', config)];
      }),
  },
  {
    name: 'mosquitto',
    title: 'mosquitto',
    protocol: 'mqtt',
    abilities: ['broadcast', 'ack'],
    version: () => printed('/usr/sbin/mosquitto', ['-h'], /version ([\d.]+)/),
    remedy: 'apt-get install mosquitto',
    start: (folder) =>
      ServerProcess.told('/usr/sbin/mosquitto', (port) => {
        // Without a listener that is no WebSocket this version does not start.
        const listeners = `listener 0 ${join(folder, 'unused.sock')}\nlistener ${port} 127.0.0.1\nprotocol websockets\n`;
        const config = `${listeners}allow_anonymous true\npersistence false\nmax_queued_messages 0\nuser root\n`;
        return ['-c', written(folder, 'mosquitto.conf', config)];
      }),
  },
  {
    name: 'c',
    title: 'C, epoll, nothing but this: the limit',
    protocol: 'plain',
    abilities: ['broadcast', 'call'],
    version: () => printed('cc', ['--version'], /([\d.]+)$/m),
    start: () => ServerProcess.printing(compiled('limit', 'peers', ['limit.c']), []),
  },
  ...(['polling', 'long', 'sse'] as const).map((name): Contender => ({
    name,
    title: { polling: 'Polling every second', long: 'Long polling', sse: 'Server-sent events' }[name],
    protocol: ({ polling: 'http-poll', long: 'http-long', sse: 'http-sse' } as const)[name],
    abilities: ['updates'],
    version: () => process.version,
    start: () => node('http-updates.mjs'),
  })),
];

/** Whose figures the others are divided by. */
export const OURS = 'holdfast';

function peer(name: string): string {
  return fileURLToPath(new URL(`../../peers/${name}`, import.meta.url));
}

function node(name: string, ...args: string[]): Promise<ServerProcess> {
  return ServerProcess.printing(process.execPath, [peer(name), ...args]);
}

function written(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function printed(program: string, args: readonly string[], version: RegExp): string | undefined {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return version.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[1];
}
