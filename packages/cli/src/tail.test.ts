import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, holdfast, Program, startServer } from './program.testing.ts';

/** What `tail` printed, as data. */
function dataOf(stdout: string): unknown[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { data: unknown }).data);
}

async function publish(url: string, topic: string, ...data: string[]): Promise<void> {
  const { code, stderr } = await holdfast(['publish', topic, ...data, '--url', url]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

describe('tail', () => {
  test('prints offset, time, who and what; bytes as base64, nothing that steers a terminal', async () => {
    const { url } = await startServer(['--memory']);
    const file = join(await freshFolder(), 'bytes');
    await writeFile(file, Uint8Array.of(1, 2, 255));
    await holdfast(['publish', 'x', '{"text":"hi"}', '\u001b[2J\u009b', '--url', url, '--token', 'ann\u001b']);
    await holdfast(['publish', 'x', '--file', file, '--url', url, '--token', 'bob']);
    const { code, stdout } = await holdfast(['tail', 'x', '--last', '9', '--count', '3', '--url', url]);
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(
        `^1  ${time}  ann\\\\u001b  \\{"text":"hi"\\}\n2  ${time}  .*"\\\\u001b\\[2J\\\\u009b"\n3  ${time}  bob  <3 bytes> AQL/\n$`,
      ),
    );
  });

  test('begins with what comes next, at an offset, or with the newest', async () => {
    const { url } = await startServer(['--memory']);
    await publish(url, 'x', 'a', 'b', 'c');
    const tail = (...args: string[]): Promise<{ stdout: string }> => holdfast(['tail', 'x', '--json', '--url', url, ...args]);
    expect(dataOf((await tail('--from', '2', '--count', '2')).stdout)).toEqual(['b', 'c']);
    expect(dataOf((await tail('--last', '1', '--count', '1')).stdout)).toEqual(['c']);
    expect(await tail('--from', '9')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^holdfast tail: x ends with offset 3, so nothing can begin at 9\. .+\n$/),
    });
    const next = new Program(['tail', 'x', '--json', '--url', url]);
    // Nothing says when it listens: publish until it hears.
    const heard = next.prints(/"data":"(d\d+)"/);
    let isHeard = false;
    void heard.then(() => (isHeard = true));
    for (let number = 0; !isHeard; number += 1) await publish(url, 'x', `d${number}`);
    expect((await heard)[1]).toMatch(/^d\d+$/);
    expect(dataOf(next.stdout)).not.toContain('c');
  });

  test('Ctrl-C ends it cleanly; so does a reader that goes away', async () => {
    const { url } = await startServer(['--memory']);
    await publish(url, 'x', 'a', 'b');
    const interrupted = new Program(['tail', 'x', '--last', '2', '--url', url]);
    await interrupted.prints(/"b"\n/);
    interrupted.kill('SIGINT');
    expect(await interrupted.finished).toMatchObject({ code: 0, signal: null, stderr: '' });

    const unread = new Program(['tail', 'x', '--last', '1', '--url', url]);
    await unread.prints(/"b"\n/);
    unread.child.stdout!.destroy();
    await publish(url, 'x', 'c');
    expect(await unread.finished).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  test('goes on exactly where it ended, from a file', async () => {
    const { url } = await startServer(['--memory']);
    const file = join(await freshFolder(), 'position');
    await publish(url, 'x', ...'abcdefg');
    const resume = async (count: number, ...args: string[]): Promise<unknown[]> => {
      const { code, stdout, stderr } = await holdfast([
        'tail',
        'x',
        '--json',
        '--position',
        file,
        '--count',
        String(count),
        '--url',
        url,
        ...args,
      ]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return dataOf(stdout);
    };
    expect(await resume(2, '--from', '1')).toEqual(['a', 'b']);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ topic: 'x', epoch: expect.any(String), offset: 2, revision: 0 });
    expect(await resume(3, '--from', '1')).toEqual(['c', 'd', 'e']);

    const interrupted = new Program(['tail', 'x', '--json', '--position', file, '--url', url]);
    await interrupted.prints(/"g"/);
    interrupted.kill('SIGINT');
    expect(dataOf((await interrupted.finished).stdout)).toEqual(['f', 'g']);
    await publish(url, 'x', 'h');
    expect(await resume(1)).toEqual(['h']);
  });

  test('keeps the place at which it began, even if nothing came', async () => {
    const { url } = await startServer(['--memory']);
    const file = join(await freshFolder(), 'position');
    await publish(url, 'x', 'before');
    const first = new Program(['tail', 'x', '--position', file, '--url', url]);
    const stored = async (): Promise<string> => readFile(file, 'utf8').catch(() => '');
    await expect.poll(stored, { timeout: 20_000 }).toMatch(/"offset":1,/);
    first.kill('SIGINT');
    await first.finished;
    await publish(url, 'x', 'meanwhile');
    const { stdout } = await holdfast(['tail', 'x', '--json', '--position', file, '--count', '1', '--url', url]);
    expect(dataOf(stdout)).toEqual(['meanwhile']);
  });

  test.each([
    ['no position at all', 'holds no position'],
    ['{"topic":"y","epoch":"e","offset":1,"revision":0}', 'holds a position in y, not in x'],
    ['{"topic":"x","epoch":"e","offset":-1,"revision":0}', 'holds no position'],
  ])('refuses a file with %s', async (text, why) => {
    const file = join(await freshFolder(), 'position');
    await writeFile(file, text);
    expect(await holdfast(['tail', 'x', '--position', file])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`holdfast tail: ${file} ${why}. `),
    });
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  test('says so when its position cannot be stored, and ends', async () => {
    const { url } = await startServer(['--memory']);
    await publish(url, 'x', 'a');
    const file = join(await freshFolder(), 'no-such-folder', 'position');
    expect(await holdfast(['tail', 'x', '--from', '1', '--count', '1', '--position', file, '--url', url])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^holdfast tail: .*no-such-folder\/position.* does not exist \(ENOENT\)\.\n$/),
    });
  });

  test('shows a gap where history was cut, and where a log began anew', async () => {
    const { program, url, port } = await startServer(['--memory', '--retain-count', '2']);
    await publish(url, 'x', ...'abcdef');
    const cut = async (): Promise<string> => (await holdfast(['tail', 'x', '--from', '2', '--count', '2', '--url', url])).stdout;
    // History is cut once a second.
    await expect
      .poll(cut, { timeout: 20_000 })
      .toMatch(/^-- {2}gap: entries 2 to 4 are missing \(retention: history was cut\)\n5 .*"e"\n6 .*"f"\n$/);

    const follower = new Program(['tail', 'x', '--last', '1', '--json', '--url', url]);
    await follower.prints(/"f"/);
    program.kill('SIGKILL');
    await program.finished;
    await startServer(['--memory'], { port });
    await publish(url, 'x', 'anew');
    await follower.prints(/"anew"/);
    const [, gap, entry] = follower.stdout.trimEnd().split('\n');
    expect(JSON.parse(gap!)).toMatchObject({ type: 'gap', reason: 'epoch', before: { offset: 6 }, after: { offset: 0 } });
    expect(JSON.parse(entry!)).toMatchObject({ type: 'entry', offset: 1, data: 'anew' });
    expect(follower.stderr).toContain('the connection is lost');
  });

  test('survives a server that is killed and comes back', async () => {
    const data = await freshFolder();
    const { program, url, port } = await startServer(['--data', data]);
    await publish(url, 'x', 'a');
    const follower = new Program(['tail', 'x', '--last', '1', '--json', '--url', url]);
    await follower.prints(/"a"/);
    program.kill('SIGKILL');
    await program.finished;
    await startServer(['--data', data], { port });
    await publish(url, 'x', 'b');
    await follower.prints(/"b"/);
    follower.kill('SIGINT');
    expect(dataOf((await follower.finished).stdout)).toEqual(['a', 'b']);
  });
});
