/**
 * The life of a server: opens the store, learns what was revoked, listens, says where, and when it is told to stop lets its
 * clients go and finishes what it has. What it is made of comes from the settings.
 */

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHealth, createMetrics, createOperationsHandler, observeStore, type ObservedStore } from '@holdfast/ops';
import {
  createHub,
  listen,
  type EndpointOptions,
  type HoldfastServer,
  type Hub,
  type HubEvent,
  type ListenOptions,
} from '@holdfast/server';
import { announce } from './announcement.ts';
import { isLoopbackHost } from './configuration-check.ts';
import { createGate, jwtLifetimeMaxOf, type Gate } from './gate.ts';
import { hubOptionsOf, originsOf, pathsOf } from './hub-settings.ts';
import { listenFailure, webAddress } from './listening.ts';
import { openControl, openStore } from './opened-store.ts';
import { openRevocationLog } from './revocation-log.ts';
import { createRequestHandler } from './request-handler.ts';
import { createServerLog, type ServerLog } from './server-log.ts';
import type { Settings } from './settings.ts';
import { stopSignal } from './stop-signal.ts';
import { version } from './version.ts';

/** TCP connections beside those of sockets: for HTTP, and for saying no. */
const HTTP_CONNECTIONS_MAX = 1_000;

/** Resolves when it has been stopped. Rejects, with nothing left open, if it cannot begin. */
export async function runService(settings: Settings): Promise<void> {
  const reload: { now: () => void } = { now: () => undefined };
  // On a terminal that is closed the server ends; elsewhere SIGHUP is how it is told that files have changed.
  const hasTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  const stop = stopSignal(hasTerminal ? undefined : () => reload.now());
  const opened = await openStore(settings);
  const gate = createGate(settings, ({ event: question, ...facts }) =>
    log.logger.warn({ event: 'webhook-fault', question, ...facts }, 'a webhook got no answer'),
  );
  const log = createServerLog(settings, gate.mode);
  const control = await openControl(opened, (text) => log.warn(text));
  try {
    const service = new Service(settings, gate, log, observeStore(opened));
    reload.now = () => service.reload();
    await service.run(stop, opened);
  } finally {
    // A backup under way is finished, and told, before the socket goes.
    await opened.close();
    await control?.close();
  }
  log.say('stopped', { event: 'stopped' });
}

class Service {
  readonly #settings: Settings;
  readonly #gate: Gate;
  readonly #log: ServerLog;
  readonly #store: ObservedStore;
  #server: HoldfastServer | undefined;

  constructor(settings: Settings, gate: Gate, log: ServerLog, store: ObservedStore) {
    this.#settings = settings;
    this.#gate = gate;
    this.#log = log;
    this.#store = store;
  }

  async run(stop: Promise<string>, store: Parameters<typeof announce>[2]['store']): Promise<void> {
    const settings = this.#settings;
    const { onError } = this.#log;
    // What never listened does not go away.
    const onEvent = (event: HubEvent): void => (this.#server === undefined ? undefined : this.#log.onEvent(event));
    const hub = createHub({ store: this.#store, ...hubOptionsOf(settings, this.#gate.beforePublish), onEvent, onError });
    const closing: (() => Promise<unknown> | void)[] = [() => hub.close()];
    try {
      const lifetimeMaxMs = jwtLifetimeMaxOf(settings, this.#gate.mode);
      const revocationLog = await openRevocationLog({ hub, revocations: this.#gate.revocations, onError, lifetimeMaxMs });
      closing.unshift(() => revocationLog.close());
      const operations = this.#operationsHandlers(hub);
      const paths = this.#paths();
      const request = createRequestHandler({
        settings,
        hub,
        gate: this.#gate,
        log: this.#log,
        revocationLog,
        operations: operations.main,
        web: () => this.#web(),
      });
      this.#server = await this.#listen({ hub, paths, request });
      closing.unshift(() => this.#server?.close());
      const own = operations.own === undefined ? undefined : await this.#listenForOperations(operations.own);
      if (own !== undefined) closing.push(() => new Promise((resolve) => own.close(resolve).closeAllConnections()));
      announce(this.#log, settings, {
        web: this.#web(),
        store,
        mode: this.#gate.mode,
        paths: Object.keys(paths).filter((path) => paths[path]!.plain === undefined),
        plainPaths: Object.keys(paths).filter((path) => paths[path]!.plain !== undefined),
        operations: own === undefined ? undefined : webAddress(settings['operations.host'], (own.address() as AddressInfo).port, false),
        isLoopback: await isLoopbackHost(settings.host),
        revocationCount: this.#gate.revocations.list().length,
      });
      await this.#drain(await stop, hub);
    } finally {
      for (const close of closing) await close();
    }
  }

  /** SIGHUP. */
  reload(): void {
    const server = this.#server;
    if (server?.tls === undefined) return this.#log.say('SIGHUP: nothing to read again', { event: 'reload' });
    server.reloadTls().then(
      () => this.#tlsReloaded(server.tls!.expiresAtMs),
      (error: unknown) => this.#tlsFailed(error),
    );
  }

  /** No new ones; those that are there are told, and still served for a while (HF-8.3). */
  async #drain(signal: string, hub: Hub): Promise<void> {
    const { drain, alternate } = this.#settings;
    const { connectionCount } = hub;
    const text = connectionCount === 1 ? '1 connection' : `${connectionCount} connections`;
    this.#log.say(`${signal}: stopping, up to ${drain / 1_000} s for ${text} to leave`, {
      event: 'stopping',
      signal,
      drainMs: drain,
      connections: connectionCount,
    });
    this.#server!.http.close();
    await hub.close({ drainMs: drain, ...(alternate === undefined ? {} : { alternate }) });
  }

  #paths(): Readonly<Record<string, EndpointOptions>> {
    const { authenticate, authorize, mode } = this.#gate;
    const paths = Object.entries(pathsOf(this.#settings, mode));
    return Object.fromEntries(paths.map(([path, options]) => [path, { ...options, authenticate, authorize }]));
  }

  /** Metrics are on a port of their own, or behind a token on the main one; how it is may be asked anywhere. */
  #operationsHandlers(hub: Hub): { readonly main: ReturnType<typeof createOperationsHandler>; readonly own: RequestListener | undefined } {
    const { 'operations.port': port, 'operations.token': token } = this.#settings;
    const health = createHealth({ hub, version });
    const metrics = createMetrics({ hub, store: this.#store, version, tls: () => this.#server?.tls });
    const guard = token === undefined ? {} : { token };
    return {
      main: createOperationsHandler({ health, ...(token === undefined ? {} : { metrics, token }) }),
      own: port === undefined ? undefined : createOperationsHandler({ health, metrics, ...guard }),
    };
  }

  async #listen(options: Pick<ListenOptions, 'hub' | 'paths' | 'request'>): Promise<HoldfastServer> {
    const {
      host,
      port,
      behindProxy,
      insecure,
      trustedProxies,
      'tls.cert': cert,
      'tls.key': key,
      'tls.passphrase': passphrase,
    } = this.#settings;
    const connectionsMax = options.hub.services.nodeLimits.connectionsMax + HTTP_CONNECTIONS_MAX;
    const tls = cert === undefined || key === undefined ? undefined : { cert, key, ...(passphrase === undefined ? {} : { passphrase }) };
    try {
      return await listen({
        ...options,
        host,
        port,
        behindProxy,
        insecure,
        origins: originsOf(this.#settings),
        ...(Number.isFinite(connectionsMax) ? { connectionsMax } : {}),
        ...(trustedProxies === undefined ? {} : { trustedProxies }),
        ...(tls === undefined
          ? {}
          : { tls: { ...tls, onReload: ({ expiresAtMs }) => this.#tlsReloaded(expiresAtMs), onError: (error) => this.#tlsFailed(error) } }),
      });
    } catch (error) {
      throw listenFailure(error, host, port);
    }
  }

  async #listenForOperations(handler: RequestListener): Promise<Server> {
    const { 'operations.port': port = 0, 'operations.host': host } = this.#settings;
    const server = createServer(handler);
    try {
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
      return server;
    } catch (error) {
      throw listenFailure(error, host, port, 'operations-port');
    }
  }

  #web(): string {
    return webAddress(this.#settings.host, this.#server!.port, this.#server!.tls !== undefined);
  }

  #tlsReloaded(expiresAtMs: number): void {
    const until = new Date(expiresAtMs).toISOString();
    this.#log.say(`the certificate was read again; it ends at ${until}`, { event: 'tls-reloaded', until });
  }

  #tlsFailed(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    this.#log.warn(`the certificate could not be read again, and the old one stays: ${why}`, { event: 'tls-failed', why });
  }
}
