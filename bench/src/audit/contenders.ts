/** Who is audited, in the order of the tables. */

import { join } from 'node:path';
import type { AuditServer, Contender, ContenderName, Publisher } from './contender.ts';
import { HoldfastPublisher, HoldfastServer } from './holdfast.ts';
import { PeerServer, type PeerKind } from './peer-server.ts';

/** The one that must lose nothing. */
export const PROMISED: ContenderName = 'holdfast';

export const CONTENDERS: readonly Contender[] = [
  holdfast('holdfast', 'Holdfast, on disk', (folder) => join(folder, 'data')),
  holdfast('holdfast-memory', 'Holdfast, in memory', () => undefined),
  peer('socket.io', 'Socket.IO', 'socket.io', ['socket.io', 'socket.io-client']),
  peer('socket.io-recovery', 'Socket.IO, connection state recovery', 'socket.io-recovery', ['socket.io', 'socket.io-client']),
  peer('partysocket', '`ws` with partysocket', 'ws', ['ws', 'partysocket']),
];

function holdfast(name: ContenderName, title: string, data: (folder: string) => string | undefined): Contender {
  return {
    name,
    title,
    packages: [],
    serve: (folder) => new HoldfastServer(data(folder)),
    publisher: (server, port) => new HoldfastPublisher(port, () => `ws://127.0.0.1:${server.port}`),
  };
}

function peer(name: ContenderName, title: string, kind: PeerKind, packages: readonly string[]): Contender {
  return { name, title, packages, serve: () => new PeerServer(kind), publisher: publisherOf };
}

/** A peer's server broadcasts by itself. */
function publisherOf(server: AuditServer): Publisher {
  return server as PeerServer;
}
