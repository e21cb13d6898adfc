import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiniSequencer } from '@holdfast/server/conformance';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSqliteStore, type SqliteStore } from './index.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/```console\n([\s\S]*?)```/g)]
  .flatMap(([, block]) => block!.split(/^\$ /m).slice(1))
  .map((example) => ({ command: example.split('\n', 1)[0]!, output: example.slice(example.indexOf('\n') + 1) }));

const directory = mkdtempSync(join(tmpdir(), 'holdfast-readme-'));
let store: SqliteStore;

beforeAll(async () => {
  store = await createSqliteStore({ directory: join(directory, 'data') });
  const at = Date.UTC(2026, 0, 15, 9, 30);
  const script = new MiniSequencer().found('chat/42').found('market/AAPL');
  script
    .publish('chat/42', '{"text":"Is anybody there?"}', { at })
    .publish('chat/42', '{"text":"Yes."}', { subject: 'bob', at: at + 1500 });
  script.publish('market/AAPL', new Uint8Array([8, 0x96, 1]), { at: at + 2000 }).register('chat/42', 'read/ann', '2');
  await store.apply(script.take());
});

afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

test('the README has examples', () => {
  expect(examples.length).toBe(5);
});

test.for(examples)('$command', ({ command, output }) => {
  const { stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: directory, encoding: 'utf8' });
  expect([stdout, stderr]).toEqual([output, '']);
});
