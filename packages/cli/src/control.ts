/**
 * How a command reaches the server that runs on a data folder: a socket in that folder, `holdfast.control`, which speaks
 * HTTP. Who may use it is a matter of file permissions, and it is on no network. A store has one process that writes it,
 * so a backup of a running server is made by that server, between its own commits.
 *
 *   curl --unix-socket data/holdfast.control -d '{"to":"/backups/monday.db"}' http://control/backup
 */

import { chmodSync, rmSync, statSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { join, relative, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { HoldfastError, isErrorCode } from '@holdfast/wire';
import { CommandFailure } from './failure.ts';

export interface BackupTarget {
  backup(path: string): Promise<void>;
}

export interface Control {
  close(): Promise<void>;
}

/**
 * Listens in the folder of a store that this process has open: so whatever lies under the socket's name is left over.
 * Rejects with the system's error, such as `EINVAL` for a path that is too long for a socket.
 */
export async function listenForControl(directory: string, target: BackupTarget): Promise<Control> {
  const path = controlPath(directory);
  rmSync(path, { force: true });
  const server = createServer((incoming, response) => {
    void answer(incoming, target).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    });
  });
  await listening(server, path);
  // Whoever may write to it may have a copy of everything.
  chmodSync(path, 0o600);
  return {
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeIdleConnections();
      }),
  };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(path, () => {
      server.off('error', fail);
      done();
    });
  });
}

async function answer(incoming: IncomingMessage, target: BackupTarget): Promise<{ readonly status: number; readonly body: object }> {
  try {
    if (incoming.method !== 'POST' || incoming.url !== '/backup') return { status: 404, body: { message: 'there is POST /backup' } };
    const { to } = JSON.parse(await text(incoming)) as { to?: unknown };
    if (typeof to !== 'string') return { status: 400, body: { message: '"to": want a path' } };
    await target.backup(to);
    return { status: 200, body: { bytes: statSync(to).size } };
  } catch (error) {
    const { message } = error as Error;
    return { status: 500, body: error instanceof HoldfastError ? { code: error.code, message, hint: error.hint } : { message } };
  }
}

/**
 * Has the server of a data folder write a backup; resolves with its size, or `undefined` where no server listens.
 * Rejects with what that server said.
 */
export function askForBackup(directory: string, to: string): Promise<number | undefined> {
  return new Promise((done, fail) => {
    const asked = request({ socketPath: controlPath(directory), path: '/backup', method: 'POST' });
    asked.on('error', (error: NodeJS.ErrnoException) => {
      const isNobody = error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTDIR';
      if (isNobody) done(undefined);
      else
        fail(
          new CommandFailure(
            `the server on ${directory} did not answer (${error.code ?? error.message})`,
            'Run this as the user that runs the server; if that one has ended, try again.',
            { cause: error },
          ),
        );
    });
    asked.on('response', (response) => {
      done(sizeIn(response));
    });
    asked.end(JSON.stringify({ to: resolve(to) }));
  });
}

interface BackupReply {
  readonly bytes?: number;
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
}

async function sizeIn(response: IncomingMessage): Promise<number> {
  const { bytes, code = '', message = '', hint } = JSON.parse(await text(response)) as BackupReply;
  if (response.statusCode === 200 && bytes !== undefined) return bytes;
  throw isErrorCode(code)
    ? new HoldfastError(code, message, hint === undefined ? {} : { hint })
    : new CommandFailure(`the server could not make the backup: ${message}`);
}

/** The shorter way of naming it: a socket's path has 107 bytes at the most. */
function controlPath(directory: string): string {
  const absolute = join(resolve(directory), 'holdfast.control');
  const near = relative('.', absolute);
  return near.length < absolute.length ? near : absolute;
}
