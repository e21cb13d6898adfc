import { chmod, mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { freshFolder, holdfast, Program, startServer } from './program.testing.ts';

async function offsetsIn(topic: string, url: string, count: number): Promise<number[]> {
  const { stdout } = await holdfast(['tail', topic, '--from', '1', '--count', String(count), '--json', '--url', url]);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { offset: number }).offset);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('serve', () => {
  test('says where it is, where the data are, and what acknowledged means', async () => {
    const folder = await freshFolder();
    const { program, port } = await startServer([], { cwd: folder });
    await program.prints(/stop {8}Ctrl-C or SIGTERM\n/);
    expect(program.stdout).toContain(`is listening on http://localhost:${port}\n`);
    expect(program.stdout).toContain(`ws://localhost:${port} `);
    expect(program.stdout).toMatch(/data {8}\/.*\/data\/holdfast\.db \(SQLite .*\); acknowledged means synced to disk\n/);
    expect(program.stdout).toContain('development mode: everybody is who they claim to be\n');
    expect(program.stderr).toBe('');
  });

  test('answers HTTP: its health, a page of text, 404 and 405', async () => {
    const { port } = await startServer(['--memory']);
    const at = `http://127.0.0.1:${port}`;
    const health = (await (await fetch(`${at}/health`)).json()) as object;
    expect(health).toMatchObject({ status: 'ok', version: expect.stringMatching(/^\d/), uptimeMs: expect.any(Number) });
    expect(await (await fetch(at)).text()).toContain(`ws://localhost:${port}/plain`);
    expect((await fetch(`${at}/nothing`)).status).toBe(404);
    expect((await fetch(at, { method: 'POST' })).status).toBe(405);
  });

  test('serves a single page and its files', async () => {
    const folder = await freshFolder();
    await mkdir(join(folder, 'assets'));
    await writeFile(join(folder, 'index.html'), '<h1>page</h1>');
    await writeFile(join(folder, 'assets/app.js'), 'run();');
    const { port } = await startServer(['--memory', '--static', folder]);
    const at = `http://127.0.0.1:${port}`;
    for (const path of ['/', '/rooms/7']) {
      const response = await fetch(at + path);
      expect([await response.text(), response.headers.get('cache-control')]).toEqual(['<h1>page</h1>', 'no-cache']);
    }
    const script = await fetch(`${at}/assets/app.js`);
    expect([await script.text(), script.headers.get('cache-control')]).toEqual(['run();', 'public, max-age=31536000, immutable']);
    expect((await fetch(`${at}/assets/gone.js`)).status).toBe(404);
    expect((await fetch(`${at}/health`)).headers.get('content-type')).toBe('application/json');
  });

  test('ends cleanly on SIGTERM and SIGINT, and has everything when it comes back', async () => {
    const data = join(await freshFolder(), 'data');
    const first = await startServer(['--data', data]);
    await holdfast(['publish', 'kept', 'a', 'b', '--url', first.url]);
    first.program.kill('SIGTERM');
    expect(await first.program.finished).toMatchObject({ code: 0, signal: null, stderr: '' });
    const second = await startServer(['--data', data]);
    expect(await offsetsIn('kept', second.url, 2)).toEqual([1, 2]);
    second.program.kill('SIGINT');
    expect(await second.program.finished).toMatchObject({ code: 0, signal: null, stdout: expect.stringMatching(/\nstopped\n$/) });
  });

  test('a second signal ends it at once', async () => {
    const { program, port } = await startServer(['--memory', '--drain', '1h']);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/plain`);
    await new Promise((resolve) => socket.once('open', resolve));
    program.kill('SIGINT');
    await program.prints(/stopping, up to 3600 s for 1 connection to leave/);
    // One that comes within a second of the first is the same wish.
    const insisting = setInterval(() => program.kill('SIGINT'), 100);
    expect(await program.finished).toMatchObject({ code: 130, signal: null });
    clearInterval(insisting);
    socket.terminate();
  });

  test('killed with -9 in the middle of publishing, it has lost nothing acknowledged', async () => {
    const data = await freshFolder();
    const { program, url } = await startServer(['--data', data]);
    const publisher = new Program(['publish', 'busy', '--url', url, '--timeout', '300ms']);
    publisher.child.stdin!.end(upTo(20_000).join('\n'));
    await publisher.prints(/\b500\n/);
    program.kill('SIGKILL');
    const { code, stdout } = await publisher.finished;
    const acknowledged = stdout.trimEnd().split('\n').map(Number);
    expect(acknowledged).toEqual(upTo(acknowledged.length));
    expect({ code, some: acknowledged.length >= 500, all: acknowledged.length === 20_000 }).toEqual({ code: 1, some: true, all: false });
    const again = await startServer(['--data', data]);
    expect(await offsetsIn('busy', again.url, acknowledged.length)).toEqual(acknowledged);
  });
});

describe('serve, when it cannot', () => {
  test('a taken port', async () => {
    const { port } = await startServer(['--memory']);
    expect(await holdfast(['serve', '--memory', '--port', String(port)])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `holdfast serve: port ${port} on 127.0.0.1 is taken by another program. End that one, or choose another port: --port ${port + 1} (--port 0 takes any free one).\n`,
    });
  });

  test('a store that is in use, also after a taken port', async () => {
    const data = await freshFolder();
    const { program } = await startServer(['--data', data]);
    expect(await holdfast(['serve', '--data', data, '--port', '0'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        new RegExp(`^holdfast serve: .*holdfast\\.db is already in use by process ${program.child.pid} on .*\\. .+\\n$`),
      ),
    });
  });

  test('a damaged store', async () => {
    const data = await freshFolder();
    const { program, url } = await startServer(['--data', data]);
    await holdfast(['publish', 'x', '--url', url, '-q'], { input: 'line\n'.repeat(500) });
    program.kill('SIGTERM');
    await program.finished;
    await truncate(join(data, 'holdfast.db'), 20_000);
    expect(await holdfast(['serve', '--data', data, '--port', '0'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^holdfast serve: .*holdfast\.db is (cut off|damaged).*\. .*holdfast restore.*\n$/),
    });
  });

  test("another program's file", async () => {
    const data = await freshFolder();
    await writeFile(join(data, 'holdfast.db'), 'not a database, but long enough to be looked at. '.repeat(100));
    expect(await holdfast(['serve', '--data', data, '--port', '0'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^holdfast serve: .*holdfast\.db is not a Holdfast store, or its beginning is damaged\. .+\n$/),
    });
  });

  test('a read-only folder', async () => {
    const data = await freshFolder({ asNobody: true });
    await chmod(data, 0o555);
    expect(await holdfast(['serve', '--data', data, '--port', '0'], { asNobody: true })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^holdfast serve: .*holdfast\.db cannot be written: EACCES .* Let this user write there, .* --data\.\n$/,
      ),
    });
  });

  test.each([
    [
      ['--insecure', '--auth', 'development', '--host', '192.0.2.1'],
      /^holdfast serve: 192\.0\.2\.1 is not an address of this machine\. .+\n$/,
    ],
  ])('%j', async (args, line) => {
    expect(await holdfast(['serve', '--memory', '--port', '0', ...args])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(line),
    });
  });

  test('no SQLite library', async () => {
    const data = await freshFolder();
    // A module loader that has lost both of them, also in the store's threads.
    const loader = join(await freshFolder(), 'without-sqlite.cjs');
    await writeFile(
      loader,
      `require('node:module').register('data:text/javascript,' + encodeURIComponent(\`
         export async function resolve(specifier, context, next) {
           if (specifier === 'better-sqlite3' || specifier === 'node:sqlite') throw new Error("Cannot find package '" + specifier + "'");
           return next(specifier, context);
         }\`));`,
    );
    expect(
      await holdfast(['serve', '--data', data, '--port', '0'], { env: { NODE_OPTIONS: `--no-warnings --require ${loader}` } }),
    ).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^holdfast serve: No SQLite library could be loaded: .* Run "npm install better-sqlite3" .*\n$/),
    });
  });
});
