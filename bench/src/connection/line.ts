/** A caller on a link of its own: one client, one proxy, in front of a server that it shares with others. */

import type { Caller, Contender, ContenderServer, ServeSettings } from './contender.ts';
import { expectSoon } from './moment.ts';
import { LinkProxy } from './proxy.ts';

/** How long a client may take to connect the first time, ms. */
const CONNECT_PATIENCE_MS = 10_000;

export interface Line {
  readonly caller: Caller;
  readonly proxy: LinkProxy;
}

/** Whether the client is connected by another connection than its first. */
export function isBack({ caller, proxy }: Line): boolean {
  return proxy.arrivalsMs.length > 1 && caller.isConnected;
}

/** Whether the client has noticed that its first connection is gone. */
export function hasNoticed({ caller, proxy }: Line): boolean {
  return proxy.arrivalsMs.length > 1 || !caller.isConnected;
}

/** Starts a server and connects `count` clients to it, lets `task` do what it likes with them, and ends everything. */
export async function withLines<Result>(
  contender: Contender,
  settings: ServeSettings,
  count: number,
  task: (lines: readonly Line[], server: ContenderServer) => Promise<Result>,
): Promise<Result> {
  const server = await contender.serve(settings);
  const lines: Line[] = [];
  try {
    for (let at = 0; at < count; at++) {
      const proxy = await LinkProxy.open(server.port);
      lines.push({ proxy, caller: server.connect(proxy.port, `bench-${at}`) });
    }
    await expectSoon(`${contender.name}: connecting`, () => lines.every(({ caller }) => caller.isConnected), CONNECT_PATIENCE_MS);
    return await task(lines, server);
  } finally {
    await Promise.all(lines.map(({ caller }) => caller.close()));
    await Promise.all(lines.map(({ proxy }) => proxy.close()));
    await server.close();
  }
}
