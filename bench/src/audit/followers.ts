/** A client of each kind, as an application would have it, that keeps an account of what it sees. */

import { createClient } from '@holdfast/client';
import PartySocketClass from 'partysocket/ws';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { isConnectedPhase } from '../connection/holdfast-client.ts';
import type { Account } from './account.ts';
import type { ContenderName, Follower } from './contender.ts';
import { numberOf, TOPIC } from './holdfast.ts';
import { BROADCAST_EVENT } from './peer-server.ts';

type Follow = (port: number, name: string, account: Account) => Follower;

/** How often a client that has just begun is asked whether it knows its place, ms. */
const PLACE_INTERVAL_MS = 20;

export const FOLLOWERS: Readonly<Record<ContenderName, Follow>> = {
  holdfast: followHoldfast,
  'holdfast-memory': followHoldfast,
  'socket.io': (port, _name, account) => followSocketIo(port, account, false),
  'socket.io-recovery': (port, _name, account) => followSocketIo(port, account, true),
  partysocket: followPartySocket,
};

function followHoldfast(port: number, name: string, account: Account): Follower {
  const client = createClient({ url: `ws://127.0.0.1:${port}`, token: name, client: name, WebSocket });
  const look = (): void => (isConnectedPhase(client.status.getSnapshot().phase) ? account.opened() : account.lost());
  client.status.subscribe(look);
  const reader = client.topic(TOPIC).items();
  const timer = setInterval(() => {
    if (reader.position === undefined) return;
    clearInterval(timer);
    account.ready();
  }, PLACE_INTERVAL_MS);
  const reading = (async () => {
    for await (const item of reader) {
      if (item.type === 'entry') account.received(numberOf(item.data));
      else if (item.type === 'gap') account.told();
    }
  })();
  return {
    close: async () => {
      clearInterval(timer);
      await client.close();
      await reading;
    },
  };
}

function followSocketIo(port: number, account: Account, canRecover: boolean): Follower {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
  socket.on('connect', () => {
    // The library says so itself where it could not bring back what was missed.
    if (canRecover && account.isReady && !socket.recovered) account.told();
    account.opened();
    account.ready();
  });
  socket.on('disconnect', () => account.lost());
  socket.on(BROADCAST_EVENT, (data: unknown) => account.received(numberOf(data)));
  return {
    close: async () => {
      socket.disconnect();
    },
  };
}

function followPartySocket(port: number, _name: string, account: Account): Follower {
  const socket = new PartySocketClass(`ws://127.0.0.1:${port}`, [], { WebSocket });
  socket.addEventListener('open', () => {
    account.opened();
    account.ready();
  });
  socket.addEventListener('close', () => account.lost());
  socket.addEventListener('error', () => {});
  socket.addEventListener('message', ({ data }) => account.received(numberOf(JSON.parse(data as string))));
  return {
    close: async () => socket.close(),
  };
}
