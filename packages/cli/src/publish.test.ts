import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, holdfast, startServer } from './program.testing.ts';

async function logOf(topic: string, url: string, count: number): Promise<object[]> {
  const { stdout } = await holdfast(['tail', topic, '--from', '1', '--count', String(count), '--json', '--url', url]);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
}

describe('publish', () => {
  test('takes JSON where it is JSON and text elsewhere, as told, or the bytes of a file', async () => {
    const { url } = await startServer(['--memory']);
    const file = join(await freshFolder(), 'bytes');
    await writeFile(file, Uint8Array.of(0, 128, 255));
    const publish = (...args: string[]): Promise<object> => holdfast(['publish', 'x', '--url', url, '--token', 'ann', ...args]);
    expect(await publish('{"a":1}', 'a', '2')).toMatchObject({ code: 0, stdout: '1\n2\n3\n', stderr: '' });
    expect(await publish('--text', '2', '')).toMatchObject({ code: 0, stdout: '4\n5\n' });
    expect(await publish('--json', '[2]')).toMatchObject({ code: 0, stdout: '6\n' });
    expect(await publish('--file', file, '-q')).toMatchObject({ code: 0, stdout: '' });
    const log = await logOf('x', url, 7);
    expect(log.map((entry) => ('data' in entry ? entry.data : (entry as { bytes: string }).bytes))).toEqual([
      { a: 1 },
      'a',
      2,
      '2',
      '',
      [2],
      'AID/',
    ]);
    expect(log.at(-1)).toMatchObject({ from: 'ann', offset: 7 });
  });

  test('takes the lines of standard input, in order, more than may be under way', async () => {
    const { url } = await startServer(['--memory']);
    const lines = Array.from({ length: 1_000 }, (_, index) => index + 1);
    const { code, stdout } = await holdfast(['publish', 'x', '--url', url], { input: `\n${lines.join('\r\n')}` });
    expect({ code, offsets: stdout.trimEnd().split('\n').map(Number) }).toEqual({ code: 0, offsets: lines });
    const log = await logOf('x', url, 1_000);
    expect(log.map((entry) => (entry as { data: number }).data)).toEqual(lines);
    expect(new Set(log.map((entry) => (entry as { producer: string }).producer)).size).toBe(1);
  });

  test('stops at a line that is not JSON, and tells what was published before it', async () => {
    const { url } = await startServer(['--memory']);
    expect(await holdfast(['publish', 'x', '--json', '--url', url], { input: '1\n2\noops\n4\n' })).toMatchObject({
      code: 1,
      stdout: '1\n2\n',
      stderr: expect.stringMatching(/^holdfast publish: line 3 is not JSON\. .+\n$/),
    });
    expect(await holdfast(['publish', 'x', 'next', '--url', url])).toMatchObject({ stdout: '3\n' });
  });

  test('exits with 1 when it is refused', async () => {
    const { url } = await startServer(['--memory', '--frame-max', '16kb']);
    expect(await holdfast(['publish', 'x', 'a', 'b'.repeat(20_000), '--url', url])).toMatchObject({
      code: 1,
      stdout: '1\n',
      stderr: expect.stringMatching(/^holdfast publish: 20002 bytes .*Split it.*\n$/),
    });
  });

  test('refuses a topic that has no such name', async () => {
    expect(await holdfast(['publish', 'a b', 'x'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^holdfast publish: "a b" is not a topic name; .+\n$/),
    });
  });
});
