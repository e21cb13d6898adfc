/** What a server says of itself when it listens. */

import type { TopicStore } from '@holdfast/server';
import type { AuthMode } from './gate.ts';
import { storeText } from './opened-store.ts';
import type { ServerLog } from './server-log.ts';
import { sourcesOf } from './gate.ts';
import type { Settings } from './settings.ts';
import { version } from './version.ts';

export interface Announced {
  /** Such as `http://localhost:8080`. */
  readonly web: string;
  readonly store: TopicStore;
  readonly mode: AuthMode;
  /** Where clients may connect, and which of it is for plain ones. */
  readonly paths: readonly string[];
  readonly plainPaths: readonly string[];
  /** The operations' own address. */
  readonly operations: string | undefined;
  readonly isLoopback: boolean;
  readonly revocationCount: number;
}

/** As text the first line ends with the address; as JSON it has it as `url`. */
export function announce(log: ServerLog, settings: Settings, announced: Announced): void {
  const { web, store, mode, operations, revocationCount } = announced;
  if (log.format === 'json') {
    const { durability } = store;
    const facts = { event: 'listening', version, identities: mode, durability, revocations: revocationCount };
    return log.say('listening', { ...facts, ...(operations === undefined ? {} : { operations }), url: web });
  }
  const rows = [
    ['clients', clientsText(announced)],
    ['data', storeText(store)],
    ['identities', identitiesText(settings, mode)],
    ...(operations === undefined ? [] : [['operations', `${operations}/metrics, /health, /ready`]]),
    ...(mode === 'development' && isReachable(settings, announced)
      ? [['warning', `${settings.host} is reachable from other machines, and anybody there may read and write everything`]]
      : []),
    ['stop', process.stdout.isTTY ? 'Ctrl-C' : 'Ctrl-C or SIGTERM'],
  ];
  log.say(`Holdfast ${version} is listening on ${web}`);
  for (const [name, text] of rows) log.say(`  ${name!.padEnd(10)}  ${text}`);
}

function isReachable({ behindProxy }: Settings, { isLoopback }: Announced): boolean {
  return behindProxy || !isLoopback;
}

function clientsText({ web, paths, plainPaths }: Announced): string {
  const [first = '/', ...others] = paths;
  const address = web.replace('http', 'ws') + (first === '/' ? '' : first);
  const more = others.length === 0 ? '' : ` (or ${others.join(', ')})`;
  return `${address}${more}${plainPaths.length === 0 ? '' : `; any WebSocket client: ${plainPaths.join(', ')}`}`;
}

function identitiesText(settings: Settings, mode: AuthMode): string {
  switch (mode) {
    case 'development':
      return 'development mode: everybody is who they claim to be';
    case 'jwt':
      return `signed tokens (JWT), from ${sourcesOf(settings).join(', ')}`;
    case 'webhook':
      return 'whoever the back end says (webhooks.url)';
  }
}
