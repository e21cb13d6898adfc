/** `holdfast doctor` as a program of its own. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Authority, LACK_OF_OPENSSL } from './doctor-certificates.testing.ts';
import { answering, pongs, scripted, switching } from './doctor-server.testing.ts';
import type { Ticket } from './doctor.ts';
import { holdfast, startServer } from './program.testing.ts';

/** Whatever is set where the tests run. */
const BARE = {
  HTTPS_PROXY: '',
  https_proxy: '',
  HTTP_PROXY: '',
  http_proxy: '',
  ALL_PROXY: '',
  all_proxy: '',
  NODE_TLS_REJECT_UNAUTHORIZED: '',
  NODE_EXTRA_CA_CERTS: '',
};

describe('holdfast doctor', () => {
  test('its help is in the README', async () => {
    const { code, stdout } = await holdfast(['doctor', '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^holdfast doctor: .*\n\nUsage: holdfast doctor URL \[options\]\n/);
    expect(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).toContain(`\`\`\`text\n${stdout}\`\`\`\n`);
  });

  test('examines "holdfast serve", with the token of the environment', async () => {
    const { url } = await startServer(['--memory']);
    const { code, stdout, stderr } = await holdfast(['doctor', url, '--idle', '0'], { env: { ...BARE, HOLDFAST_TOKEN: 'token-of-ann' } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^ok {7}hello .* welcome as "\*\*\*", with the token$/m);
    expect(stdout).toMatch(/^ok {7}round trip .* 10 pings: /m);
    expect(stdout).toMatch(/\nAll is well\.\n$/);
  });

  test('--json is one object, without secrets', async () => {
    const address = await scripted(
      answering(
        '401 Unauthorized',
        { 'WWW-Authenticate': 'Bearer', 'Set-Cookie': 'a=b', Location: '/?t=other' },
        'bad secret-token for secret-ticket',
      ),
    );
    const url = `ws://${address}/ws?ticket=secret-ticket`;
    const { code, stdout } = await holdfast(['doctor', url, '--plain', '--token', 'secret-token', '--json'], { env: BARE });
    expect(stdout).not.toMatch(/secret|other|a=b/);
    const ticket = JSON.parse(stdout) as Ticket;
    expect(ticket).toMatchObject({ url: `ws://${address}/ws?ticket=***`, verdict: 'failed', exitCode: 1, node: process.version });
    expect(ticket.findings.at(-1)).toMatchObject({
      step: 'upgrade',
      verdict: 'failed',
      text: 'HTTP 401 Unauthorized: the credentials are not taken; it says "bad *** for ***"',
      mend: 'Get a fresh token.',
      facts: { status: 401, body: 'bad *** for ***' },
      tookMs: expect.any(Number),
    });
    expect(code).toBe(1);
  });

  test.skipIf(LACK_OF_OPENSSL !== undefined)('trusts what NODE_EXTRA_CA_CERTS names', async () => {
    const authority = new Authority();
    try {
      const address = await scripted(switching({}, pongs), authority.issue());
      const args = ['doctor', `wss://${address}/`, '--plain', '--idle', '0'];
      const without = await holdfast(args, { env: BARE });
      expect(without.stdout).toContain('start Node with NODE_EXTRA_CA_CERTS=ca.pem');
      const trusting = await holdfast(args, { env: { ...BARE, NODE_EXTRA_CA_CERTS: authority.caPath } });
      expect(trusting.stdout).toMatch(/a private authority that Node trusts here[^]*\nAll is well\.\n$/);
      expect([without.code, trusting.code]).toEqual([1, 0]);
    } finally {
      authority.remove();
    }
  });

  test.each([
    [['doctor'], 'holdfast doctor: something is missing; usage: holdfast doctor URL. See: holdfast doctor --help\n'],
    [
      ['doctor', 'localhost:1/?a=secret'],
      'holdfast doctor: "localhost:1/" has no scheme; write ws://localhost:1/, or wss://localhost:1/ where TLS is spoken. See: holdfast doctor --help\n',
    ],
    [
      ['doctor', 'ws://localhost:1', '--seconds', '0'],
      'holdfast doctor: --seconds wants a whole number from 1 to 600, not "0". See: holdfast doctor --help\n',
    ],
  ])('%j costs one line and exit code 2', async (args, line) => {
    expect(await holdfast(args)).toMatchObject({ code: 2, stdout: '', stderr: line });
  });
});
