/**
 * What an answer to an upgrade means (RFC 6455 section 4.1; PROTOCOL.md HF-2), and what to mend where it is not the right one.
 * Pure: from what came to what is said of it.
 */

import { proxyTraces, type ProxyTraces } from './doctor-proxy.ts';
import { failed, ok, type Observation } from './doctor-report.ts';
import type { Order } from './doctor-world.ts';
import { headerValues, type HttpAnswer, type UpgradeAnswer } from './doctor-upgrade.ts';

export interface Asked {
  readonly order: Order;
  readonly subprotocol: string | undefined;
  readonly origin: string | undefined;
}

/** Whether the server took the upgrade, right or not. */
export function isSwitched(answer: UpgradeAnswer): answer is HttpAnswer & { readonly status: 101 } {
  return answer.kind === 'http' && answer.status === 101;
}

/** Of an answer that is no 101. */
export function observeRefusal(answer: UpgradeAnswer, asked: Asked): Observation {
  switch (answer.kind) {
    case 'http':
      return httpRefusal(answer, asked);
    case 'foreign':
      return foreignAnswer(answer.bytes, asked);
    case 'closed':
      return closedAnswer(answer.code);
    case 'silent':
      return failed(
        `no answer to the upgrade within ${asked.order.waitMs / 1_000} s`,
        'Something takes connections and says nothing: check that the server behind this port is alive, and that it speaks HTTP.',
      );
  }
}

function foreignAnswer(bytes: Buffer, { order }: Asked): Observation {
  // RFC 8446 section 5.1: a record of TLS, here an alert.
  if (bytes[0] === 0x15 && bytes[1] === 0x03)
    return failed('the port speaks TLS', `Write ${order.target.isTls ? 'ws' : 'wss'}:// instead.`);
  const excerpt = order.secrets.quote(bytes.subarray(0, 200).toString('latin1'), 60);
  return failed(`the answer is not HTTP: "${excerpt}"`, 'Another program listens on this port: check host and port.');
}

function closedAnswer(code: string | undefined): Observation {
  if (code !== undefined && /CERTIFICATE_REQUIRED|BAD_CERTIFICATE/.test(code))
    return failed(
      `the server wants a certificate of the client (${code})`,
      'Give the client one, or exempt this path: browsers rarely have one.',
    );
  const how = code === undefined ? 'ended the connection' : 'broke the connection off';
  const shown = code === undefined ? '' : ` (${code})`;
  return failed(
    `the server ${how} without an answer to the upgrade${shown}`,
    'A firewall that knows no WebSockets, a port that speaks TLS, or a server that crashes at it does so: look at the log of the server.',
  );
}

function httpRefusal(answer: HttpAnswer, asked: Asked): Observation {
  const { status, body } = answer;
  const { secrets } = asked.order;
  const reason = secrets.quote(answer.reason, 40);
  const excerpt = secrets.quote(body);
  const retryAfter = headerValues(answer, 'retry-after')[0];
  const wait = retryAfter === undefined ? '' : `, Retry-After: ${secrets.quote(retryAfter, 40)}`;
  const { what, mend } = meaning(answer, asked, proxyTraces(answer.headers));
  const facts = {
    status,
    headers: answer.headers.filter(([name]) => !/cookie|authenticat/i.test(name)).map(([name, value]) => shownHeader(name, value, asked)),
    body: excerpt,
  };
  const line = `HTTP ${status}${reason === '' ? '' : ` ${reason}`}${wait}: ${what}`;
  return failed(excerpt === '' ? line : `${line}; it says "${excerpt}"`, mend, facts);
}

/** Addresses have queries, and these are not for a ticket. */
function shownHeader(name: string, value: string, asked: Asked): string {
  return `${name}: ${/^(location|link|refresh)$/i.test(name) ? locationText(value, asked) : asked.order.secrets.quote(value)}`;
}

function locationText(location: string, { order }: Asked): string {
  const base = order.target.url;
  return URL.canParse(location, base.href) ? order.secrets.url(new URL(location, base)) : order.secrets.quote(location);
}

interface Meaning {
  readonly what: string;
  readonly mend: string;
}

const PASS_UPGRADE = 'Let every proxy on the way pass "Upgrade" and "Connection" on with HTTP/1.1, and check the path.';

function meaning(answer: HttpAnswer, asked: Asked, { kind }: ProxyTraces): Meaning {
  const { status } = answer;
  const { order } = asked;
  const hinted = bodyMeaning(answer);
  if (hinted !== undefined) return hinted;
  const pass = kind === undefined ? PASS_UPGRADE : `${kind.upgrade} Then check the path.`;
  if (status >= 200 && status < 300)
    return { what: 'answered as a page: a proxy takes the Upgrade away, or there is no WebSocket at this path', mend: pass };
  if (status >= 300 && status < 400) return redirect(answer, asked);
  switch (status) {
    case 400:
      return { what: 'the request was not understood as an upgrade; proxies that strip "Upgrade" or "Connection" cause it', mend: pass };
    case 401:
      return order.token === undefined
        ? { what: 'it wants credentials', mend: 'Give a token: --token TOKEN; with --plain it goes along as "Authorization: Bearer".' }
        : {
            what: 'the credentials are not taken',
            mend: `Get a fresh token${order.isPlain ? '' : ', or send it with the upgrade: --plain'}.`,
          };
    case 403:
      return asked.origin === undefined
        ? {
            what: 'it is forbidden',
            mend: 'Servers that look at the Origin refuse what has none: try --origin https://app.example.com; else a firewall, or a missing right.',
          }
        : { what: `it is forbidden, perhaps for the origin ${asked.origin}`, mend: 'Add the origin to those that the server allows.' };
    case 404:
      return { what: `there is nothing at ${order.target.url.pathname}`, mend: 'Check the path; a proxy may also add or cut a prefix.' };
    case 405:
    case 501:
      return { what: 'this path takes no upgrade', mend: pass };
    case 407:
    case 511:
      return {
        what: 'a proxy or a portal of this network wants a login first',
        mend: 'Log in to the network, or set the proxy up with its name and password.',
      };
    case 408:
      return {
        what: 'the server waited for more of the request',
        mend: 'Something on the way holds the request back: look at the proxies.',
      };
    case 421:
      return { what: 'this server does not serve this name', mend: 'Add the name to the configuration of the server that ends TLS.' };
    case 426:
      return upgradeRequired(answer, pass);
    case 429:
      return {
        what: 'too many connections in too short a time',
        mend: 'Wait as long as it says, and let clients come back after a growing delay.',
      };
    case 502:
    case 504:
      return {
        what: 'a proxy does not reach the server behind it',
        mend: 'Start the server behind the proxy, and check the address that the proxy has for it.',
      };
    case 503:
      return {
        what: 'it takes no more connections now, or there is no server behind the proxy',
        mend: 'Try again after a while; look at the load and limits of the server.',
      };
    default:
      return status >= 500
        ? { what: 'the server failed at the upgrade', mend: 'Look at its log.' }
        : { what: 'the upgrade was refused', mend: 'Look at the log of the server, and of every proxy on the way.' };
  }
}

/** What some servers say in the body only. */
function bodyMeaning({ status, body }: HttpAnswer): Meaning | undefined {
  if (
    status === 400 &&
    /plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server|speaking plain HTTP to an SSL/i.test(body)
  )
    return { what: 'the port speaks TLS', mend: 'Write wss:// instead of ws://.' };
  if (status === 400 && /"message":"(Transport unknown|Bad handshake method|Bad request|Unsupported protocol version)"/.test(body))
    return {
      what: 'this is a Socket.IO server, which speaks a protocol of its own',
      mend: 'Connect with its own client, or to /socket.io/?EIO=4&transport=websocket.',
    };
  return undefined;
}

function redirect(answer: HttpAnswer, asked: Asked): Meaning {
  const location = headerValues(answer, 'location')[0];
  if (location === undefined) return { what: 'it redirects to nowhere', mend: 'Look at the configuration of the server or proxy.' };
  const base = asked.order.target.url;
  const to = URL.canParse(location, base.href) ? new URL(location, base) : undefined;
  if (to?.protocol === 'http:') to.protocol = 'ws:';
  if (to?.protocol === 'https:') to.protocol = 'wss:';
  const shown = to === undefined ? asked.order.secrets.quote(location) : asked.order.secrets.url(to);
  const mend = /log-?in|sign-?in|auth|sso/i.test(shown)
    ? 'It leads to a login: exempt the path of the WebSocket from it, and let the server look at the credentials itself.'
    : 'Connect to that address, or let the proxy answer here.';
  return { what: `it redirects to ${shown}, and WebSockets follow no redirect`, mend };
}

function upgradeRequired(answer: HttpAnswer, pass: string): Meaning {
  const versions = headerValues(answer, 'sec-websocket-version').join(', ');
  if (versions !== '' && !/\b13\b/.test(versions))
    return {
      what: `the server speaks other versions of WebSockets only (${versions})`,
      mend: 'Update the server: RFC 6455 is version 13.',
    };
  return { what: 'the server saw no upgrade: something on the way took it out', mend: pass };
}

/** Of a 101: whether it is the right one. */
export function observeSwitch(answer: HttpAnswer, { subprotocol, order }: Asked): readonly Observation[] {
  const value = (name: string): string => headerValues(answer, name).join(', ');
  const faults: Observation[] = [];
  const quoted = (text: string): string => `"${order.secrets.quote(text, 60)}"`;
  if (value('upgrade').toLowerCase() !== 'websocket')
    faults.push(
      failed(
        `HTTP 101 with Upgrade: ${quoted(value('upgrade'))}, which has to be "websocket"`,
        'Look at the server and at every proxy on the way.',
      ),
    );
  if (!/(^|[\s,])upgrade($|[\s,])/i.test(value('connection')))
    faults.push(
      failed(
        `HTTP 101 with Connection: ${quoted(value('connection'))}, which has to be "Upgrade"`,
        'Look at the server and at every proxy on the way.',
      ),
    );
  const accept = value('sec-websocket-accept');
  if (accept !== answer.acceptWanted)
    faults.push(
      failed(
        accept === ''
          ? 'HTTP 101 without Sec-WebSocket-Accept'
          : 'HTTP 101 with a Sec-WebSocket-Accept that does not belong to the key that was sent',
        'A cache or proxy gives an old answer, or the server computes it wrongly (RFC 6455 section 4.2.2): no client goes on from there.',
      ),
    );
  const extensions = value('sec-websocket-extensions');
  if (extensions !== '')
    faults.push(
      failed(
        `the answer has an extension that nobody offered: ${quoted(extensions)}`,
        'Clients must refuse that (RFC 6455 section 4.1): switch the extension off at the server or proxy.',
      ),
    );
  faults.push(...unofferedSubprotocol(value('sec-websocket-protocol'), subprotocol, order));
  return faults.length > 0 ? faults : [ok('HTTP 101: the upgrade is right')];
}

function unofferedSubprotocol(selected: string, offered: string | undefined, { secrets }: Order): readonly Observation[] {
  if (selected === '' || selected === offered) return [];
  const what = `the server selected the subprotocol "${secrets.quote(selected, 60)}", which was not offered`;
  return [
    failed(
      what,
      'Clients must refuse that (RFC 6455 section 4.1): let the server select among what is offered, or offer that one with --subprotocol.',
    ),
  ];
}
