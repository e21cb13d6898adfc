import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SECRET } from './back-end.testing.ts';
import { signWebhook, parseWebhookSecret, verifyWebhook, type VerifyWebhookOptions } from './webhook-signature.ts';

const NOW_MS = 1_614_265_330_000;
const clock = { now: () => NOW_MS };

/** What the specification's own libraries are tested with. */
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};

function signed(changes: Partial<Record<'id' | 'timestamp' | 'signature', string>> = {}): Record<string, string> {
  const { id = VECTOR.id, timestamp = String(VECTOR.timestamp), signature = VECTOR.signature } = changes;
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
}

function verify(options: Partial<VerifyWebhookOptions> = {}): unknown {
  return verifyWebhook({ secret: VECTOR.secret, headers: signed(), body: VECTOR.body, clock, ...options });
}

/** Of a time that is off by so many seconds, with the right signature. */
function aged(seconds: number): Record<string, string> {
  const timestamp = String(VECTOR.timestamp + seconds);
  const key = Buffer.from(VECTOR.secret.slice(6), 'base64');
  const signature = `v1,${createHmac('sha256', key).update(`${VECTOR.id}.${timestamp}.${VECTOR.body}`).digest('base64')}`;
  return signed({ timestamp, signature });
}

const REFUSED = expect.objectContaining({ code: 'UNAUTHENTICATED' });

describe('Standard Webhooks', () => {
  test('the vector of the specification is signed and verified', () => {
    const { secret, id, timestamp, body, signature } = VECTOR;
    expect(signWebhook(parseWebhookSecret(secret), id, timestamp, body)).toBe(signature);
    expect(verify()).toEqual({ test: 2_432_232_314 });
  });

  test('bytes and text, headers of any case, and those of a Request', () => {
    expect(verify({ body: Buffer.from(VECTOR.body) })).toEqual({ test: 2_432_232_314 });
    const headers = Object.fromEntries(Object.entries(signed()).map(([name, value]) => [name.toUpperCase(), value]));
    expect(verify({ headers })).toEqual({ test: 2_432_232_314 });
    expect(verify({ headers: new Headers(signed()) })).toEqual({ test: 2_432_232_314 });
  });

  test('while a secret is changed, the old and the new one verify', () => {
    expect(verify({ secret: [SECRET, VECTOR.secret] })).toBeTruthy();
    const both = signWebhook(parseWebhookSecret([SECRET, VECTOR.secret]), VECTOR.id, VECTOR.timestamp, VECTOR.body);
    expect(both.split(' ')).toHaveLength(2);
    for (const secret of [SECRET, VECTOR.secret]) expect(verify({ secret, headers: signed({ signature: both }) })).toBeTruthy();
  });

  test.each([
    ['another body', { body: '{"test": 2432232315}' }],
    ['another secret', { secret: SECRET }],
    ['another id', { headers: signed({ id: 'msg_other' }) }],
    ['another time', { headers: signed({ timestamp: String(VECTOR.timestamp + 1) }) }],
    ['another version', { headers: signed({ signature: VECTOR.signature.replace('v1', 'v2') }) }],
    ['a short signature', { headers: signed({ signature: 'v1,AAAA' }) }],
    ['no signature', { headers: signed({ signature: '' }) }],
    ['no header', { headers: {} }],
    ['a time that is none', { headers: signed({ timestamp: 'now' }) }],
  ])('%s is refused', (_name, options) => {
    expect(() => verify(options)).toThrow(REFUSED);
  });

  test.each([-301, 301])('a request %i s from now is refused: it may be a replay', (seconds) => {
    expect(() => verify({ headers: aged(seconds) })).toThrow(REFUSED);
  });

  test.each([-299, 299])('clocks may be %i s apart', (seconds) => {
    expect(verify({ headers: aged(seconds) })).toBeTruthy();
    expect(() => verify({ headers: aged(seconds), toleranceMs: 10_000 })).toThrow(REFUSED);
  });

  test('an id that came before is refused; one with a wrong signature is not even asked about', () => {
    const seen = new Set<string>();
    const isNew = (id: string): boolean => !seen.has(id) && seen.add(id).has(id);
    expect(() => verify({ isNew, secret: SECRET })).toThrow(REFUSED);
    expect(seen.size).toBe(0);
    expect(verify({ isNew })).toBeTruthy();
    expect(() => verify({ isNew })).toThrow(REFUSED);
  });

  test.each([
    '',
    'whsec_',
    'whsec_c2hvcnQ=',
    'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    `whsec_${'!'.repeat(40)}`,
    `whsec_${'A'.repeat(100)}`,
    [],
  ])('a secret that is none is refused without being repeated: %s', (secret) => {
    expect(() => verify({ secret })).toThrow(expect.objectContaining({ code: 'USAGE', message: expect.not.stringContaining('!!!') }));
  });
});
