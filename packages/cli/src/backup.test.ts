import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, holdfast, Program, startServer } from './program.testing.ts';

/** One client may publish as fast as it can. */
const UNHURRIED = { HOLDFAST_LIMITS_CONNECTION_PUBLISHES_PER_SECOND: 'none', HOLDFAST_LIMITS_SUBJECT_PUBLISHES_PER_SECOND: 'none' };

async function copyOf(folder: string, data: string): Promise<string> {
  const file = join(folder, 'copy.db');
  expect(await holdfast(['backup', data, file])).toMatchObject({
    code: 0,
    stdout: `${file}: ${(await stat(file)).size} bytes\n`,
    stderr: '',
  });
  return file;
}

describe('backup and restore', () => {
  test('a copy of a server that is publishing; who saw more is told of the break', async () => {
    const folder = await freshFolder();
    const [data, position] = [join(folder, 'data'), join(folder, 'position')];
    const { program, url, port } = await startServer(['--data', data], { env: UNHURRIED });
    const publisher = new Program(['publish', 'x', '--url', url]);
    publisher.child.stdin!.end(Array.from({ length: 20_000 }, (_, index) => index + 1).join('\n'));
    await publisher.prints(/\b200\n/);
    const copy = await copyOf(folder, data);
    expect(await publisher.finished).toMatchObject({ code: 0 });
    await holdfast(['tail', 'x', '--last', '1', '--count', '1', '--position', position, '--url', url]);
    program.kill('SIGTERM');
    expect(await program.finished).toMatchObject({ code: 0 });
    expect(await readdir(data)).not.toContain('holdfast.control');

    expect(await holdfast(['restore', copy, data])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^holdfast restore: there is a store in .* already\. .*--replace\.\n$/),
    });
    expect(await holdfast(['restore', copy, data, '--replace'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^the store that was there is now .*\n.* is restored from .*\n$/),
    });
    await startServer(['--data', data], { port });
    const { stdout } = await holdfast(['tail', 'x', '--json', '--position', position, '--count', '200', '--url', url]);
    const [gap, ...entries] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; offset: number; data: number });
    expect(gap).toMatchObject({ type: 'gap', reason: 'epoch', before: { offset: 20_000 }, after: { offset: 0 } });
    expect(entries.map(({ offset, data: value }) => [offset, value])).toEqual(
      Array.from({ length: 200 }, (_, index) => [index + 1, index + 1]),
    );
  });

  test('without a server, into a new folder', async () => {
    const folder = await freshFolder();
    const [data, other] = [join(folder, 'data'), join(folder, 'other')];
    const first = await startServer(['--data', data]);
    await holdfast(['publish', 'x', 'kept', '--url', first.url]);
    // What the killed one left must be recovered for the copy.
    first.program.kill('SIGKILL');
    await first.program.finished;
    const copy = await copyOf(folder, data);
    expect(await holdfast(['restore', copy, other])).toMatchObject({ code: 0 });
    const { url } = await startServer(['--data', other]);
    expect((await holdfast(['tail', 'x', '--from', '1', '--count', '1', '--url', url])).stdout).toMatch(/^1 .*"kept"\n$/);
  });

  test('never overwrites, with or without a server', async () => {
    const folder = await freshFolder();
    const data = join(folder, 'data');
    const { program } = await startServer(['--data', data]);
    const copy = await copyOf(folder, data);
    const refused = {
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^holdfast backup: There is a file at .*copy\.db already; .+\n$/),
    };
    expect(await holdfast(['backup', data, copy])).toMatchObject(refused);
    program.kill('SIGTERM');
    await program.finished;
    expect(await holdfast(['backup', data, copy])).toMatchObject(refused);
  });

  test('names what is not there', async () => {
    const folder = await freshFolder();
    expect(await holdfast(['backup', join(folder, 'none'), join(folder, 'copy.db')])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^holdfast backup: there is no store in .*none\. .+\n$/),
    });
    expect(await holdfast(['restore', join(folder, 'none.db'), join(folder, 'data')])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^holdfast restore: There is no backup at .*none\.db\. .+\n$/),
    });
    expect(await readdir(folder)).toEqual([]);
  });

  test('a store that another program has open stays as it is', async () => {
    const folder = await freshFolder();
    const data = join(folder, 'data');
    const { url } = await startServer(['--data', data]);
    await holdfast(['publish', 'x', 'a', '--url', url]);
    const copy = await copyOf(folder, data);
    expect(await holdfast(['restore', copy, data, '--replace'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/already in use by process/),
    });
    expect(await holdfast(['publish', 'x', 'b', '--url', url])).toMatchObject({ code: 0, stdout: '2\n' });
  });
});
