/** What `holdfast doctor` is asked to examine: the address, read as a browser and as Node read it. */

import { isIP } from 'node:net';
import { failed, ok, warning, type Observation } from './doctor-report.ts';
import type { Secrets } from './doctor-secrets.ts';
import { UsageError } from './failure.ts';

export interface Target {
  readonly url: URL;
  /** `wss:`. */
  readonly isTls: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Path and query, as it is asked for. */
  readonly resource: string;
  /** This machine itself. */
  readonly isLoopback: boolean;
  /** As it was written, such as `https:`. */
  readonly givenScheme: string;
  readonly hasFragment: boolean;
}

const SCHEMES: Readonly<Record<string, 'ws:' | 'wss:'>> = { 'ws:': 'ws:', 'wss:': 'wss:', 'http:': 'ws:', 'https:': 'wss:' };

/** Reads an address; its secrets go to `secrets`. Throws a `UsageError` for what is none. */
export function parseTarget(text: string, secrets: Secrets): Target {
  const shown = text.replace(/[?#][^]*$/, '').replace(/\/\/[^/]*@/, '//***@');
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    throw new UsageError(`"${shown}" has no scheme; write ws://${shown}, or wss://${shown} where TLS is spoken`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw new UsageError(`"${shown}" is no address; it should look like wss://chat.example.com/realtime`);
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) throw new UsageError(`a WebSocket begins with ws:// or wss://, not with ${url.protocol}//`);
  const givenScheme = url.protocol;
  const hasFragment = text.includes('#');
  url.hash = '';
  url.protocol = scheme;
  secrets.addUrl(url);
  const isTls = scheme === 'wss:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port);
  return { url, isTls, host, port, resource: `${url.pathname}${url.search}`, isLoopback: isLoopback(host), givenScheme, hasFragment };
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host === 'localhost' || host.endsWith('.localhost');
}

/** `https://app.example.com`, or `null`. Throws a `UsageError` for what no browser sends. */
export function parseOrigin(text: string): string {
  if (text === 'null') return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const origin = url === undefined || url.host === '' ? undefined : `${url.protocol}//${url.host}`;
  if (origin === undefined || (text !== origin && text !== `${origin}/`))
    throw new UsageError('--origin wants what a browser sends, such as https://app.example.com: scheme, host and port alone');
  return origin;
}

/** What the address itself says, before anything is asked. */
export function observeTarget(target: Target, origin: string | undefined, secrets: Secrets): readonly Observation[] {
  const { url, host, port, givenScheme, hasFragment } = target;
  const shown = secrets.url(url);
  const plain = givenScheme.slice(0, -1);
  const found: Observation[] = [];
  if (givenScheme !== url.protocol)
    found.push(warning(`${plain}:// is not a WebSocket address to every client; examined as ${shown}`, `Write ${url.protocol}//.`));
  if (hasFragment) found.push(warning('the address has a fragment (#...), which older browsers refuse', 'Leave out what follows the #.'));
  if (url.username !== '' || url.password !== '')
    found.push(
      warning(
        'the address has a name and password in it; they are sent as "Authorization: Basic" here, and by not every browser',
        'Give a token in the first frame or in a cookie instead.',
      ),
    );
  if (BAD_PORTS.has(port))
    found.push(failed(`browsers refuse port ${port}, whoever listens there`, 'Listen on another port, such as 443 or 8080.'));
  found.push(...observeEncryption(target, origin));
  const facts = { url: shown, host, port, tls: target.isTls };
  return found.length === 0 ? [ok(`${shown} (port ${port})`, facts)] : [{ ...found[0]!, facts }, ...found.slice(1)];
}

function observeEncryption({ isTls, isLoopback: isHere, port }: Target, origin: string | undefined): readonly Observation[] {
  if (!isTls && port === 443) return [warning('ws:// on port 443, where TLS is usually spoken', 'Write wss:// if it is.')];
  if (isTls && port === 80) return [warning('wss:// on port 80, where TLS is usually not spoken', 'Leave the port out, or write ws://.')];
  if (isTls || isHere) return [];
  if (origin?.startsWith('https:') === true)
    return [failed(`a page of ${origin} may not open ws://: browsers block it as mixed content`, 'Serve TLS, and write wss://.')];
  if (origin !== undefined) return [];
  return [
    warning(
      'ws:// is not encrypted, and pages of https:// cannot open it',
      'Serve TLS, and write wss://, for anything but a trusted network.',
    ),
  ];
}

/** The Fetch standard's "port blocking", which WebSockets share. */
const BAD_PORTS: ReadonlySet<number> = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117,
  119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636,
  989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);
