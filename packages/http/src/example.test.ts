/** examples/rest: what clients in other languages do, run as they stand against a real server. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createHub, createMemoryStore, Endpoint, listen, type HoldfastServer, type Hub } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRestApi } from './index.ts';

const TOKEN = 'a-token-for-alice';

let hub: Hub;
let server: HoldfastServer;

beforeEach(async () => {
  hub = createHub({ store: createMemoryStore() });
  const authenticate = ({ token }: { readonly token: string | undefined }): { subject: string } => {
    if (token !== TOKEN) throw new HoldfastError('UNAUTHENTICATED');
    return { subject: 'alice' };
  };
  const api = createRestApi({ hub, endpoint: new Endpoint({ authenticate }) });
  server = await listen({
    hub,
    port: 0,
    paths: { '/': { authenticate } },
    request: (request, response) => {
      void api(request, response).then((isServed) => {
        if (!isServed) response.writeHead(404).end();
      });
    },
  });
});

afterEach(() => server.close());

/** What a program prints, line by line; `code` is 0 when it succeeds. */
async function run(
  program: string,
  file: string,
  args: readonly string[],
  token: string = TOKEN,
): Promise<{ lines: string[]; errors: string; code: number }> {
  const path = fileURLToPath(new URL(`../../../examples/rest/${file}`, import.meta.url));
  const scheme = file.endsWith('.py') ? 'ws' : 'http';
  const env = { ...process.env, HOLDFAST_URL: `${scheme}://127.0.0.1:${server.port}`, HOLDFAST_TOKEN: token };
  try {
    const { stdout, stderr } = await promisify(execFile)(program, [path, ...args], { env });
    return { lines: stdout.trimEnd().split('\n'), errors: stderr, code: 0 };
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
    return { lines: stdout.trimEnd().split('\n'), errors: stderr, code };
  }
}

const texts = async (): Promise<unknown> => {
  const { entries } = (await hub.actor({ subject: 'test' }).read('chat/42', { after: 0 })) as unknown as {
    entries: { data: { text: string } }[];
  };
  return entries.map(({ data }) => data.text);
};

test('publish.sh publishes once, however often it is called with the same key, and reads back', async () => {
  const first = await run('sh', 'publish.sh', ['hello from curl', 'key-1']);
  expect(first).toMatchObject({ code: 0, errors: '' });
  const [published, page] = first.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(published).toEqual({ offset: 1, epoch: expect.any(String) });
  expect(page).toMatchObject({ last: 1, entries: [{ from: 'alice', data: { text: 'hello from curl' } }] });
  const second = await run('sh', 'publish.sh', ['hello from curl', 'key-1']);
  expect(JSON.parse(second.lines[0]!)).toEqual({ ...published, duplicate: true });
  expect((await run('sh', 'publish.sh', ['hello again'])).code).toBe(0);
  expect(await texts()).toEqual(['hello from curl', 'hello again']);
});

test('publish.sh fails with the problem that it was answered', async () => {
  const { code, lines } = await run('sh', 'publish.sh', ['hello'], 'wrong');
  expect(code).not.toBe(0);
  expect(JSON.parse(lines[0]!)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
});

test('client.py connects with a token, publishes, and reads what is there', async () => {
  await hub.publish('chat/42', { text: 'hello from a back end' });
  expect(await run('/usr/bin/python3', 'client.py', ['hello from Python'])).toEqual({
    lines: ['1 server hello from a back end', '2 alice hello from Python'],
    errors: '',
    code: 0,
  });
  expect(await texts()).toEqual(['hello from a back end', 'hello from Python']);
});

test('client.py says why it was refused', async () => {
  const { code, errors } = await run('/usr/bin/python3', 'client.py', ['hello'], 'wrong');
  expect(code).toBe(1);
  expect(errors).toContain('UNAUTHENTICATED');
});
