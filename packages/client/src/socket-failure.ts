/**
 * Why a socket failed, from whatever the platform tells: the codes of Node's system errors, of its TLS and of `ws`, and the
 * sentences of React Native. Knows no socket.
 */

import { HoldfastError, type ErrorCode } from '@holdfast/wire';

export interface SocketFailure {
  readonly cause: HoldfastError;
  readonly httpStatus?: number;
}

/** Node's system errors; those of libuv and the resolver. */
const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOTFOUND: 'DNS_FAILED',
  EAI_AGAIN: 'DNS_FAILED',
  EAI_FAIL: 'DNS_FAILED',
  EAI_NODATA: 'DNS_FAILED',
  ECONNREFUSED: 'CONNECTION_REFUSED',
  EHOSTUNREACH: 'UNREACHABLE',
  EHOSTDOWN: 'UNREACHABLE',
  ENETUNREACH: 'UNREACHABLE',
  ENETDOWN: 'UNREACHABLE',
  EADDRNOTAVAIL: 'UNREACHABLE',
  EACCES: 'UNREACHABLE',
  EPERM: 'UNREACHABLE',
  ETIMEDOUT: 'CONNECT_TIMEOUT',
  UND_ERR_CONNECT_TIMEOUT: 'CONNECT_TIMEOUT',
  ECONNRESET: 'CONNECTION_LOST',
  ECONNABORTED: 'CONNECTION_LOST',
  EPIPE: 'CONNECTION_LOST',
  UND_ERR_SOCKET: 'CONNECTION_LOST',
  EPROTO: 'TLS_FAILED',
};

const TLS_CODE = /^(ERR_(TLS|SSL)_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH_EXCEEDED)/;
const PROTOCOL_CODE = /^(WS_ERR_|HPE_|ERR_ENCODING_)/;
/** What `ws` says of a handshake that it cannot accept; these errors have no code. */
const HANDSHAKE_SENTENCE = /^(Invalid (Upgrade|Sec-WebSocket)|Server (sent|indicated) |Parse Error)/;
/** Android: "Expected HTTP 101 response but was '401 Unauthorized'"; iOS: "Received bad response code from server: 401." */
const STATUS_SENTENCE = /(?:Expected HTTP 101 response but was '|bad response code from server:? )(\d{3})/i;

/** Why a connection failed (`wasOpen`: broke), from the error that the platform gave, if any. */
export function failureOf(error: unknown, wasOpen: boolean): SocketFailure {
  const message = sentenceOf(error);
  const status = STATUS_SENTENCE.exec(message)?.[1];
  if (status !== undefined) return refusedUpgrade(Number(status), error);
  let code = codeOf(error) ?? (HANDSHAKE_SENTENCE.test(message) ? 'PROTOCOL_ERROR' : undefined);
  // A timeout of a connection that was open: keep-alive or retransmission gave up.
  if (wasOpen && (code === undefined || code === 'CONNECT_TIMEOUT')) code = 'CONNECTION_LOST';
  return { cause: new HoldfastError(code ?? 'NETWORK', undefined, error === undefined ? {} : { cause: error }) };
}

/** An answer that is no upgrade. `retryAfter` is its header, in seconds; dates are not read. */
export function refusedUpgrade(httpStatus: number, cause?: unknown, retryAfter?: string): SocketFailure {
  const isSeconds = retryAfter !== undefined && /^\d{1,7}$/.test(retryAfter);
  const options = { ...(cause === undefined ? {} : { cause }), ...(isSeconds ? { retryAfterMs: Number(retryAfter) * 1000 } : {}) };
  const text = `The server answered with HTTP status ${httpStatus}, not with a WebSocket.`;
  return { cause: new HoldfastError('UPGRADE_REFUSED', text, options), httpStatus };
}

/** The first code that is understood: the error's own, or that of what caused it (Node's own WebSocket hides it there). */
function codeOf(error: unknown): ErrorCode | undefined {
  let at = error;
  for (let depth = 0; depth < 5 && typeof at === 'object' && at !== null; depth++) {
    const { code, cause, errors } = at as { code?: unknown; cause?: unknown; errors?: unknown };
    const known = typeof code === 'string' ? knownCode(code) : undefined;
    if (known !== undefined) return known;
    at = cause ?? (Array.isArray(errors) ? (errors[0] as unknown) : undefined);
  }
  return undefined;
}

function knownCode(code: string): ErrorCode | undefined {
  if (Object.hasOwn(SYSTEM_CODES, code)) return SYSTEM_CODES[code];
  if (TLS_CODE.test(code)) return 'TLS_FAILED';
  return PROTOCOL_CODE.test(code) ? 'PROTOCOL_ERROR' : undefined;
}

function sentenceOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : '';
}
