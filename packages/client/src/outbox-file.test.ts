import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeOutbox, row } from './outbox-conformance.testing.ts';
import { createFileOutbox } from './outbox-file.ts';

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-outbox-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

function newPath(): string {
  count += 1;
  return join(folder, `outbox-${count}`);
}

describeOutbox('file', () => {
  const path = newPath();
  return { open: () => createFileOutbox({ path, compactBytes: 600 }) };
});

async function filled(path: string, rows: number): Promise<void> {
  const store = createFileOutbox({ path });
  await store.load();
  for (let id = 1; id <= rows; id++) await store.apply({ rows: [row(id)] });
  await store.close();
}

async function loaded(path: string): Promise<readonly number[]> {
  const store = createFileOutbox({ path });
  try {
    return (await store.load()).rows.map(({ id }) => id);
  } finally {
    await store.close();
  }
}

describe('the file outbox', () => {
  it('loses nothing but the line that was torn, wherever it was torn', async () => {
    const path = newPath();
    await filled(path, 3);
    const whole = await readFile(path);
    const lastLine = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
    for (let length = lastLine; length < whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      expect(await loaded(path)).toEqual([1, 2]);
    }
    await writeFile(path, Buffer.concat([whole.subarray(0, lastLine), Buffer.alloc(whole.length - lastLine - 1), Buffer.from('\n')]));
    expect(await loaded(path)).toEqual([1, 2]);
  });

  it('goes on behind a torn line', async () => {
    const path = newPath();
    await filled(path, 3);
    const whole = await readFile(path);
    for (const tail of [whole.subarray(0, -5), Buffer.concat([whole.subarray(0, -1), Buffer.from('x'.repeat(500) + '\n')])]) {
      await writeFile(path, tail);
      const store = createFileOutbox({ path });
      await store.load();
      await store.apply({ rowsGone: [7] });
      await store.close();
      expect(await loaded(path)).toEqual([1, 2]);
      const next = createFileOutbox({ path });
      await next.load();
      await next.apply({ rows: [row(9)] });
      await next.close();
      expect(await loaded(path)).toEqual([1, 2, 9]);
    }
  });

  it('refuses a file that is damaged within, and one that is no outbox', async () => {
    const path = newPath();
    await filled(path, 3);
    const bytes = await readFile(path);
    bytes[60]! ^= 1;
    await writeFile(path, bytes);
    await expect(loaded(path)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    await writeFile(path, 'my diary\n');
    await expect(loaded(path)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    expect(await readFile(path, 'utf8')).toBe('my diary\n');
  });

  it('stays small however much goes through it', async () => {
    const path = newPath();
    const store = createFileOutbox({ path, compactBytes: 2_000 });
    await store.load();
    await store.apply({ rows: [row(1_000)] });
    for (let id = 1; id <= 200; id++) {
      await store.apply({ rows: [row(id)] });
      await store.apply({ rowsGone: [id] });
    }
    expect((await stat(path)).size).toBeLessThan(2_500);
    await store.close();
    expect(await loaded(path)).toEqual([1_000]);
  });

  it('rejects where it cannot write, and leaves no lock', async () => {
    const path = join(folder, 'missing', 'outbox');
    await expect(createFileOutbox({ path }).load()).rejects.toBeInstanceOf(Error);
    expect((await readdir(folder)).filter((name) => name.startsWith('missing'))).toEqual([]);
  });

  it('belongs to one owner of this process', async () => {
    const path = newPath();
    const store = createFileOutbox({ path });
    await store.load();
    await expect(createFileOutbox({ path }).load()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await store.close();
    expect(await loaded(path)).toEqual([]);
  });

  it('belongs to another process while that lives, and not after its death', async () => {
    const path = newPath();
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'inherit'] });
    await once(child, 'spawn');
    await writeFile(`${path}.lock`, `${child.pid}\n`);
    await expect(loaded(path)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(String(child.pid)) as string,
    });
    child.stdin.end();
    await once(child, 'exit');
    expect(await loaded(path)).toEqual([]);
  });

  it('takes over a lock with this process’s own number, left by an earlier one', async () => {
    const path = newPath();
    await writeFile(`${path}.lock`, `${process.pid}\n`);
    expect(await loaded(path)).toEqual([]);
  });

  it('lets one of several win a stale lock', async () => {
    const path = newPath();
    const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
    await once(child, 'exit');
    await writeFile(`${path}.lock`, `${child.pid}\n`);
    const stores = Array.from({ length: 5 }, () => createFileOutbox({ path }));
    const results = await Promise.allSettled(stores.map((store) => store.load()));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await Promise.all(stores.map((store) => store.close()));
    expect((await readdir(folder)).filter((name) => name.startsWith(`${path.slice(folder.length + 1)}.`))).toEqual([]);
  });
});
