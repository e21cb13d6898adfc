/**
 * Step TLS of `holdfast doctor`: the handshake, and whether the certificate proves that this is the server that was asked
 * for. Nothing is sent over a connection whose server cannot prove it: what follows has credentials in it.
 */

import { isIP } from 'node:net';
import {
  checkServerIdentity,
  connect,
  rootCertificates,
  type ConnectionOptions,
  type DetailedPeerCertificate,
  type TLSSocket,
} from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { codeOf } from './doctor-address.ts';
import { durationText, end, failed, ok, warning, type Observation, type Outcome } from './doctor-report.ts';
import type { Route, World } from './doctor-world.ts';

export interface TrustOptions {
  readonly servername?: string;
  readonly ca?: string[];
}

/** By what the server has to prove who it is, in every connection to it. */
export function trustOptions({ target }: Route, { authorities }: World): TrustOptions {
  return {
    ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
    ...(authorities === undefined ? {} : { ca: [...authorities] }),
  };
}

/** What a TLS connection to the route's server is opened with. */
export function tlsOptions(route: Route, world: World): ConnectionOptions {
  return { host: route.address, port: route.target.port, ALPNProtocols: ['http/1.1'], ...trustOptions(route, world) };
}

interface Handshake {
  readonly protocol: string;
  readonly cipher: string;
  readonly certificate: DetailedPeerCertificate;
  /** What OpenSSL says of the chain; `undefined` if it is good. */
  readonly chainCode: string | undefined;
}

/** The value is there where the server proved who it is. */
export async function examineTls(route: Route, waitMs: number, world: World): Promise<Outcome<true>> {
  let handshake: Handshake;
  const sinceMs = performance.now();
  try {
    handshake = await shakeHands(route, waitMs, world);
  } catch (error) {
    return end(handshakeFailure(codeOf(error), route, durationText(performance.now() - sinceMs)));
  }
  const { protocol, cipher, certificate } = handshake;
  const observations = [
    ok(`${protocol}, ${cipher}`, { protocol, cipher }),
    observeName(certificate, route.target.host),
    ...observeChain(handshake, world),
    observeExpiry(certificate, world.now()),
  ];
  const isTrusted = observations.every(({ verdict }) => verdict !== 'failed');
  return isTrusted ? { observations, value: true } : { observations };
}

function shakeHands(route: Route, waitMs: number, world: World): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    // Taken whatever it is worth, to see what is wrong with it; judged below.
    const socket = connect({ ...tlsOptions(route, world), rejectUnauthorized: false });
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      act();
      socket.destroy();
    };
    const timer = setTimeout(() => settle(() => reject(Object.assign(new Error('late'), { code: 'ETIMEDOUT' }))), waitMs);
    socket.once('secureConnect', () =>
      settle(() =>
        resolve({
          protocol: socket.getProtocol() ?? 'unknown',
          cipher: socket.getCipher().name,
          certificate: socket.getPeerCertificate(true),
          chainCode: chainCodeOf(socket),
        }),
      ),
    );
    socket.once('error', (error: Error) => settle(() => reject(error)));
    socket.once('close', () => settle(() => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' }))));
  });
}

/** Of the chain alone; that the name is another one is seen by `observeName`. */
function chainCodeOf(socket: TLSSocket): string | undefined {
  if (socket.authorized) return undefined;
  // Typed as an error, and in truth its code.
  const said = socket.authorizationError as unknown;
  const code = typeof said === 'string' ? said : codeOf(said);
  return code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? undefined : code;
}

function handshakeFailure(code: string, { target }: Route, after: string): Observation {
  const rules: readonly (readonly [RegExp, string, string])[] = [
    [
      /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/,
      `port ${target.port} speaks no TLS`,
      'Write ws:// instead of wss://, or name the port where TLS is spoken.',
    ],
    [/UNRECOGNIZED_NAME/, `the server knows no ${target.host} (SNI)`, 'Add the name to the configuration of the server that ends TLS.'],
    [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, 'the two sides have no version of TLS in common', 'Switch TLS 1.2 and 1.3 on at the server.'],
    [
      /NO_APPLICATION_PROTOCOL/,
      'the server does not speak HTTP/1.1 there (ALPN)',
      'Switch HTTP/1.1 on beside HTTP/2: a WebSocket begins with it.',
    ],
    [
      /HANDSHAKE_FAILURE|NO_SHARED_CIPHER/,
      'the two sides have no cipher in common, or the server has no certificate for this name',
      'Look at the log of the server that ends TLS.',
    ],
    [
      /CERTIFICATE_REQUIRED/,
      'the server wants a certificate of the client',
      'Give the client one, or exempt this path: browsers rarely have one.',
    ],
    [
      /ETIMEDOUT/,
      `no answer to the handshake within ${after}`,
      'Something takes the connection and says nothing: check that this port speaks TLS.',
    ],
    [
      /ECONNRESET|EPIPE/,
      'the connection was broken off in the handshake',
      'A firewall that looks at names, or a server without a certificate, does so: look at its log.',
    ],
  ];
  const [, text, mend] = rules.find(([pattern]) => pattern.test(code)) ?? [
    undefined,
    'the handshake failed',
    'Look at the log of the server that ends TLS.',
  ];
  return failed(`${text} (${code})`, mend, { code });
}

function observeName(certificate: DetailedPeerCertificate, host: string): Observation {
  const names = (certificate.subjectaltname ?? '').split(', ').map((one) => one.replace(/^(DNS|IP Address):/, ''));
  const listed =
    names[0] === '' ? 'no name at all' : `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
  const facts = { names: names.slice(0, 20), subject: nameOf(certificate.subject) };
  if (checkServerIdentity(host, certificate) === undefined) return ok(`the certificate is for ${host}`, facts);
  return failed(`the certificate is for ${listed}, not for ${host}`, `Connect to a name that it has, or get one that has ${host}.`, facts);
}

function observeChain({ certificate, chainCode }: Handshake, world: World): readonly Observation[] {
  const issuer = nameOf(certificate.issuer);
  const facts = { issuer, ...(chainCode === undefined ? {} : { code: chainCode }) };
  const isExtended = (world.environment['NODE_EXTRA_CA_CERTS'] ?? '') !== '';
  const extra = isExtended
    ? 'NODE_EXTRA_CA_CERTS is set, but its file does not have this authority'
    : 'for a private authority, start Node with NODE_EXTRA_CA_CERTS=ca.pem, and import it into browsers';
  switch (chainCode) {
    case undefined:
      if (isPublic(certificate)) return [ok(`issued by ${issuer}`, facts)];
      return [ok(`issued by ${issuer}, a private authority that Node trusts here; browsers need it imported as well`, facts)];
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return [
        failed(
          `the certificate is signed by itself (${chainCode})`,
          `Get one from an authority such as Let's Encrypt; or ${extra}.`,
          facts,
        ),
      ];
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return [failed(`issued by ${issuer}, a private authority that is not trusted here (${chainCode})`, `${sentenceCase(extra)}.`, facts)];
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return [
        failed(
          `issued by ${issuer}, which the server does not send along and nobody here knows (${chainCode})`,
          `Let the server send the whole chain (fullchain.pem); ${extra}.`,
          facts,
        ),
      ];
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      // Usually its own, which is told below.
      if (!isInTime(certificate, world.now())) return [];
      return [
        failed(
          `a certificate of the authorities above it is not valid now (${chainCode})`,
          'Let the server send the present chain of its authority.',
          facts,
        ),
      ];
    default:
      return [
        failed(
          `the chain of certificates is not good (${chainCode})`,
          'Look at it with: openssl s_client -showcerts -connect HOST:PORT',
          facts,
        ),
      ];
  }
}

const DAY_MS = 86_400_000;
/** Nobody who renews by machine comes closer to the end than this, or than a fifth of the time that it is valid for. */
const DAYS_LEFT_MIN = 14;

function observeExpiry(certificate: DetailedPeerCertificate, nowMs: number): Observation {
  const fromMs = Date.parse(certificate.valid_from);
  const toMs = Date.parse(certificate.valid_to);
  const days = Math.floor((toMs - nowMs) / DAY_MS);
  const facts = { validTo: new Date(toMs).toISOString(), daysLeft: days };
  const until = dayOf(toMs);
  if (nowMs > toMs)
    return failed(
      `the certificate ended on ${until}, ${daysText(Math.floor((nowMs - toMs) / DAY_MS))} ago`,
      'Renew it, and let the server read it anew.',
      facts,
    );
  if (nowMs < fromMs)
    return failed(`the certificate begins on ${dayOf(fromMs)} only`, "Check this machine's clock first, then the certificate.", facts);
  if (days < Math.min(DAYS_LEFT_MIN, (toMs - fromMs) / DAY_MS / 5))
    return warning(
      `the certificate ends on ${until}, in ${daysText(days)}`,
      'See that it is renewed, and that the server reads it anew.',
      facts,
    );
  return ok(`valid until ${until}, ${daysText(days)} more`, facts);
}

function isInTime({ valid_from: from, valid_to: to }: DetailedPeerCertificate, nowMs: number): boolean {
  return Date.parse(from) <= nowMs && nowMs <= Date.parse(to);
}

/** Whether its chain ends at an authority that Node ships. */
function isPublic(certificate: DetailedPeerCertificate): boolean {
  let last = certificate;
  // The root names itself as its issuer.
  while (last.issuerCertificate !== undefined && last.issuerCertificate !== last) last = last.issuerCertificate;
  return rootCertificates.some((pem) => new X509Certificate(pem).fingerprint256 === last.fingerprint256);
}

function nameOf(subject: Readonly<Record<string, string | string[] | undefined>> | undefined): string {
  const name = subject?.['CN'] ?? subject?.['O'] ?? 'nobody';
  const text = Array.isArray(name) ? name.join(', ') : name;
  return `"${text}"`;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function daysText(days: number): string {
  if (days === 0) return 'less than a day';
  return days === 1 ? '1 day' : `${days} days`;
}

function sentenceCase(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
