/** How the commands that are clients connect: the options they share, and a first connection within a time. */

import { createClient, type Client } from '@holdfast/client';
import type { HoldfastError } from '@holdfast/wire';
import { WebSocket } from 'ws';
import { CommandFailure, UsageError } from './failure.ts';
import { durationOption, textOption } from './option.ts';
import type { Option } from './option.ts';

const URL = 'ws://localhost:8080';
const TIMEOUT_MS = 5_000;

export const CONNECTION_OPTIONS: { readonly url: Option<string>; readonly token: Option<string>; readonly timeout: Option<number> } = {
  url: textOption('URL', `the server (default ${URL})`),
  token: textOption('TOKEN', 'who this is (default: $HOLDFAST_TOKEN, or a guest);\nwith "holdfast serve" simply a name'),
  timeout: durationOption('TIME', `wait so long for an answer (default ${TIMEOUT_MS / 1_000}s)`),
};

export interface ConnectionValues {
  readonly url: string | undefined;
  readonly token: string | undefined;
  readonly timeout: number | undefined;
}

export function timeoutOf({ timeout = TIMEOUT_MS }: ConnectionValues): number {
  return timeout;
}

/** A client that is connected. Rejects where no server answers within the time, or it refuses. */
export async function connect(values: ConnectionValues): Promise<Client> {
  const { url = URL, token = process.env['HOLDFAST_TOKEN'] } = values;
  if (!/^wss?:\/\/./i.test(url)) throw new UsageError(`--url wants an address such as ${URL} or wss://chat.example.com, not "${url}"`);
  const client = createClient({ url, ...(token === undefined || token === '' ? {} : { token }), WebSocket });
  try {
    await firstConnection(client, url, timeoutOf(values));
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

function firstConnection(client: Client, url: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const { phase, lastError } = client.status.getSnapshot();
      if (phase === 'open') end(resolve);
      if (phase === 'closed') end(() => reject(lastError ?? new CommandFailure(`${url} refused the connection`)));
    };
    const timer = setTimeout(() => {
      const said = client.status.getSnapshot().lastError;
      const why = said === undefined || said.code === 'OFFLINE' ? '' : ` (${said.code}: ${said.message.replace(/\.$/, '')})`;
      end(() => reject(new CommandFailure(`no Holdfast server answers at ${url}${why}`, hintFor(said, url))));
    }, timeoutMs);
    const unsubscribe = client.status.subscribe(look);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      unsubscribe();
      settle();
    };
    look();
  });
}

function hintFor(error: HoldfastError | undefined, url: string): string {
  if (error?.code === 'TLS_FAILED')
    return `"holdfast doctor ${url}" says what is wrong; NODE_EXTRA_CA_CERTS=FILE trusts an authority of your own.`;
  const isAbsent = error === undefined || ['OFFLINE', 'CONNECTION_REFUSED', 'DNS_FAILED'].includes(error.code);
  return isAbsent ? 'Start one with "holdfast serve", or name another with --url.' : `"holdfast doctor ${url}" says where it ends.`;
}

/** Rejects when the client stops for good: the server asked it to, or refused its credentials. Says on stderr when it is offline. */
export function watchConnection(client: Client): Promise<never> {
  return new Promise((_resolve, reject) => {
    let isOpen = true;
    client.status.subscribe(() => {
      const { phase, lastError } = client.status.getSnapshot();
      if (phase === 'closed') reject(lastError ?? new CommandFailure('the client is closed'));
      else if (phase === 'waiting' && isOpen) console.error('holdfast: the connection is lost; trying to get it back');
      else if (phase === 'open' && !isOpen) console.error('holdfast: connected again');
      if (phase === 'open' || phase === 'waiting') isOpen = phase === 'open';
    });
  });
}
