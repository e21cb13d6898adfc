/**
 * What the server's port answers to plain HTTP: the REST API, how it is, files or a page. Every answer is told to the log,
 * without queries and without tokens.
 */

import type { RequestListener } from 'node:http';
import { createRestApi } from '@holdfast/http';
import { createAccessLog, type OperationsHandler } from '@holdfast/ops';
import { clientAddress, Endpoint, parseTrustedProxies, type Hub } from '@holdfast/server';
import type { Gate } from './gate.ts';
import { originsOf } from './hub-settings.ts';
import type { RevocationLog } from './revocation-log.ts';
import type { ServerLog } from './server-log.ts';
import type { Settings } from './settings.ts';
import { createSite } from './site.ts';
import { version } from './version.ts';

export interface RequestHandlerOptions {
  readonly settings: Settings;
  readonly hub: Hub;
  readonly gate: Gate;
  readonly log: ServerLog;
  readonly revocationLog: RevocationLog;
  readonly operations: OperationsHandler;
  /** The server's address, once it listens. */
  readonly web: () => string;
}

/** Paths that are asked for every few seconds. */
const QUIET = new Set(['/health', '/ready', '/metrics']);
const REST = '/v1';

/** Throws where there is no site in `static`. */
export function createRequestHandler({ settings, hub, gate, log, revocationLog, operations, web }: RequestHandlerOptions): RequestListener {
  const trusted = settings.trustedProxies ?? (settings.behindProxy ? ['loopback'] : []);
  const proxies = parseTrustedProxies(trusted);
  const rest = createRestApi({
    hub,
    endpoint: new Endpoint({ authenticate: gate.authenticateRequest, authorize: gate.authorize }),
    isBackEnd: gate.isBackEnd,
    tickets: gate.tickets,
    revocations: revocationLog,
    onRecheck: gate.forgetGrants,
    origins: originsOf(settings),
    trustedProxies: trusted,
    onAnswer: (facts) => log.logger[levelOf(facts.status, log)]({ event: 'request', ...facts }, 'a request was answered'),
  });
  const access = createAccessLog(log.logger, {
    addressOf: (request) => clientAddress(request, proxies),
    isQuiet: (path) => log.format === 'text' || QUIET.has(path) || path === REST || path.startsWith(`${REST}/`),
  });
  const site = createSite({ directory: settings.static, page: () => pageOf(web(), gate) });
  return (request, response) => {
    access(request, response);
    void rest(request, response).then((isAnswered) => {
      if (!isAnswered) operations(request, response, () => site(request, response));
    });
  };
}

function levelOf(status: number, { format }: ServerLog): 'debug' | 'info' | 'warn' {
  if (status >= 500) return 'warn';
  return format === 'text' ? 'debug' : 'info';
}

function pageOf(web: string, { mode }: Gate): string {
  if (mode !== 'development') return `Holdfast ${version}\n`;
  const socket = web.replace('http', 'ws');
  return [
    `Holdfast ${version}`,
    '',
    `Clients connect to   ${socket}/        (the protocol; see PROTOCOL.md)`,
    `                     ${socket}/plain   (any WebSocket client, for a chat)`,
    '',
    'Try it: send these two lines from any WebSocket client on /plain, from two windows.',
    '  {"type":"join","conversationId":"42"}',
    `  {"type":"message","conversationId":"42","text":"hello","timestamp":${Date.now()}}`,
    '',
    `GET /health says how it is. From a shell: holdfast tail chat/42 --url ${socket}`,
    '',
  ].join('\n');
}
