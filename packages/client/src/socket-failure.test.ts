import { describe, expect, it } from 'vitest';
import { failureOf, refusedUpgrade } from './socket-failure.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

describe('why a connection failed', () => {
  it.each([
    ['ENOTFOUND', 'DNS_FAILED'],
    ['EAI_AGAIN', 'DNS_FAILED'],
    ['ECONNREFUSED', 'CONNECTION_REFUSED'],
    ['EHOSTUNREACH', 'UNREACHABLE'],
    ['ENETUNREACH', 'UNREACHABLE'],
    ['ETIMEDOUT', 'CONNECT_TIMEOUT'],
    ['ECONNRESET', 'CONNECTION_LOST'],
    ['EPROTO', 'TLS_FAILED'],
    ['CERT_HAS_EXPIRED', 'TLS_FAILED'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'TLS_FAILED'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'TLS_FAILED'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'TLS_FAILED'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'TLS_FAILED'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'TLS_FAILED'],
    ['HPE_INVALID_CONSTANT', 'PROTOCOL_ERROR'],
    ['WS_ERR_INVALID_OPCODE', 'PROTOCOL_ERROR'],
    ['EUNHEARDOF', 'NETWORK'],
    ['constructor', 'NETWORK'],
  ])('%s is %s', (system, code) => {
    const error = systemError(system);
    const { cause, httpStatus } = failureOf(error, false);
    expect([cause.code, cause.cause, httpStatus]).toEqual([code, error, undefined]);
  });

  it('is found in what caused an error, and in the first of several attempts', () => {
    const attempts = new AggregateError([systemError('ECONNREFUSED'), systemError('ENETUNREACH')], 'all attempts failed');
    expect(failureOf(attempts, false).cause.code).toBe('CONNECTION_REFUSED');
    expect(failureOf(new TypeError('fetch failed', { cause: attempts }), false).cause.code).toBe('CONNECTION_REFUSED');
  });

  it('is looked for in a chain that ends nowhere no longer than five errors', () => {
    const error = new Error('round');
    error.cause = error;
    expect(failureOf(error, false).cause.code).toBe('NETWORK');
  });

  it.each([[undefined], [null], [''], [42], [{}], [new Error('nothing to tell')]])('is untold by %s', (error) => {
    expect([failureOf(error, false).cause.code, failureOf(error, true).cause.code]).toEqual(['NETWORK', 'CONNECTION_LOST']);
  });

  it('an open connection that timed out is lost', () => {
    expect(failureOf(systemError('ETIMEDOUT'), true).cause.code).toBe('CONNECTION_LOST');
  });

  it.each([
    ["Expected HTTP 101 response but was '401 Unauthorized'", 401],
    ["Expected HTTP 101 response but was '503 Service Unavailable'", 503],
    ['Received bad response code from server: 403.', 403],
  ])('React Native tells the status in a sentence: %s', (message, status) => {
    const { cause, httpStatus } = failureOf({ message }, false);
    expect([cause.code, httpStatus]).toEqual(['UPGRADE_REFUSED', status]);
  });
});

describe('a refused upgrade', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    ['99999999', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    [undefined, undefined],
  ])('with Retry-After %s is to be tried again after %s ms', (header, retryAfterMs) => {
    expect(refusedUpgrade(503, undefined, header).cause.retryAfterMs).toBe(retryAfterMs);
  });
});
