/** Proxies that stand in the way of a WebSocket: those that the environment names, and those that give themselves away. */

import { ok, warning, type Observation } from './doctor-report.ts';
import type { Target } from './doctor-target.ts';
import type { World } from './doctor-world.ts';

/** What the environment says of proxies and of trust, for this target. */
export function observeEnvironment(target: Target, { environment }: World): readonly Observation[] {
  const found: Observation[] = [];
  if (target.isTls && environment['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
    found.push(
      warning(
        'NODE_TLS_REJECT_UNAUTHORIZED=0 makes Node trust any server; this examination does not',
        'Unset it; NODE_EXTRA_CA_CERTS=ca.pem adds an authority.',
      ),
    );
  const proxy = proxyOf(target, environment);
  if (proxy === undefined) found.push(ok('no proxy is set for this address'));
  else if (target.isLoopback) found.push(ok(`${proxy.name} is set, and not for this machine itself`, { proxy: proxy.shown }));
  else if (proxy.isExcluded) found.push(ok(`${proxy.name} is set, and NO_PROXY leaves this address out`, { proxy: proxy.shown }));
  else
    found.push(
      warning(
        `${proxy.name} is set (${proxy.shown}); Node's WebSockets, and this examination, go past it`,
        'If this network lets nothing else out, give the client an agent that goes through the proxy, or add the host to NO_PROXY if it may be reached directly.',
        { proxy: proxy.shown },
      ),
    );
  return found;
}

interface EnvironmentProxy {
  readonly name: string;
  /** Without its name and password. */
  readonly shown: string;
  readonly isExcluded: boolean;
}

function proxyOf({ isTls, host, port }: Target, environment: World['environment']): EnvironmentProxy | undefined {
  const names = isTls ? ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'] : ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'];
  const name = names.find((one) => (environment[one] ?? '') !== '');
  if (name === undefined) return undefined;
  const value = environment[name]!;
  const address = value.includes('://') ? value : `http://${value}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return {
    name,
    shown: url === undefined ? 'no address' : `${url.protocol}//${url.host}`,
    isExcluded: isExcluded(host, port, environment),
  };
}

function isExcluded(host: string, port: number, environment: World['environment']): boolean {
  const list = (environment['NO_PROXY'] ?? environment['no_proxy'] ?? '').split(/[\s,]+/).filter((one) => one !== '');
  return list.some((entry) => {
    if (entry === '*') return true;
    const [, name = '', only] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase())!;
    if (only !== undefined && Number(only) !== port) return false;
    const suffix = name.replace(/^\*?\.?/, '');
    return suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`));
  });
}

/** A kind of proxy: how it gives itself away, how it is told to let WebSockets pass, and how to let idle ones live. */
export interface ProxyKind {
  readonly name: string;
  readonly upgrade: string;
  readonly idle: string;
}

const KINDS: readonly (ProxyKind & { readonly pattern: RegExp })[] = [
  {
    name: 'Cloudflare',
    pattern: /^(server: cloudflare|cf-ray:)/im,
    upgrade: 'In the Cloudflare dashboard, switch WebSockets on under Network.',
    idle: 'Cloudflare ends connections that were idle for 100 s: let the server send something more often.',
  },
  {
    name: 'nginx',
    pattern: /^(server|via):.*(nginx|openresty)/im,
    upgrade: 'In nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
    idle: 'In nginx: raise proxy_read_timeout (60 s by default) above the heartbeat.',
  },
  {
    name: 'Apache httpd',
    pattern: /^(server|via):.*apache\b(?!-coyote)/im,
    upgrade: 'In Apache: ProxyPass "/" "http://backend/" upgrade=websocket (2.4.47 and newer), or mod_proxy_wstunnel.',
    idle: 'In Apache: raise ProxyTimeout above the heartbeat.',
  },
  {
    name: 'Envoy',
    pattern: /^(server: envoy|x-envoy-)/im,
    upgrade: 'In Envoy: upgrade_configs: [{ upgrade_type: websocket }] on the route or the connection manager.',
    idle: 'In Envoy: raise stream_idle_timeout and the idle_timeout of the route above the heartbeat.',
  },
  {
    name: 'AWS load balancer',
    pattern: /^server: awselb/im,
    upgrade: 'Use an Application or Network Load Balancer: the Classic one takes no WebSockets on HTTP listeners.',
    idle: 'Raise the idle timeout of the load balancer (60 s by default) above the heartbeat.',
  },
  {
    name: 'CloudFront',
    pattern: /^(via:.*cloudfront|x-amz-cf-id:)/im,
    upgrade: 'In CloudFront: an origin request policy that forwards all viewer headers, Sec-WebSocket-* among them.',
    idle: 'CloudFront ends connections that were idle for 10 minutes.',
  },
  {
    name: 'IIS',
    pattern: /^server: microsoft-iis/im,
    upgrade: 'In IIS: install the WebSocket Protocol feature, and switch it on for the site and for ARR.',
    idle: 'In IIS: raise the time-out of the ARR proxy above the heartbeat.',
  },
  {
    name: 'Varnish',
    pattern: /^(via:.*varnish|x-varnish:)/im,
    upgrade: 'In Varnish: return (pipe) for requests with Upgrade, and set bereq.http.upgrade in vcl_pipe.',
    idle: 'In Varnish: raise pipe_timeout above the heartbeat.',
  },
  {
    name: 'Squid',
    pattern: /^(server|via|x-squid-error):.*squid|^x-squid-error:/im,
    upgrade: 'In Squid: allow the upgrade with http_upgrade_request_protocols websocket allow all; or use wss://.',
    idle: 'In Squid: raise read_timeout above the heartbeat.',
  },
  {
    name: 'Caddy',
    pattern: /^(server|via):.*caddy/im,
    upgrade: 'In Caddy, reverse_proxy lets WebSockets pass by itself: check the matcher and the path.',
    idle: 'In Caddy: look at stream_timeout of reverse_proxy.',
  },
];

export interface ProxyTraces {
  readonly kind: ProxyKind | undefined;
  /** Such as `Server: nginx/1.26.0`. */
  readonly texts: readonly string[];
}

const TELLING =
  /^(server|via|x-powered-by|x-cache|x-served-by|x-squid-error|cf-ray|x-amz-cf-id|x-envoy-.*|x-varnish|fly-request-id|x-vercel-id)$/i;

/** What the headers of an answer say of who stands in between. */
export function proxyTraces(headers: readonly (readonly [string, string])[]): ProxyTraces {
  const texts = headers.filter(([name]) => TELLING.test(name)).map(([name, value]) => `${name}: ${value}`);
  return { kind: KINDS.find(({ pattern }) => pattern.test(texts.join('\n'))), texts };
}

export function observeTraces({ kind, texts }: ProxyTraces): readonly Observation[] {
  if (texts.length === 0) return [];
  const who = kind === undefined ? 'the answer names who gave it' : `the answer passed through ${kind.name}`;
  return [ok(`${who} (${texts.join('; ')})`, { proxy: kind?.name ?? null, headers: texts })];
}
