/** The program of README.md, as it stands there. */

import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as server from '@holdfast/server';
import { expect, test } from 'vitest';
import * as ops from './index.ts';

type Program = (modules: unknown, console: unknown) => Promise<void>;

test('the program does what it says', async () => {
  const [, program] = /```js\n([\s\S]*?)```/.exec(readFileSync(new URL('../README.md', import.meta.url), 'utf8'))!;
  const body = program!.replace(/^import (\{[^}]*\}) from '[^']+';$/gm, 'const $1 = modules;').replace("level: 'info'", "level: 'silent'");
  expect(body).not.toContain('import ');
  const AsyncFunction = (async () => undefined).constructor as new (...text: string[]) => Program;
  const said: string[] = [];
  await new AsyncFunction('modules', 'console', body)({ ...http, ...server, ...ops }, { log: (text: string) => said.push(text) });
  expect(said).toEqual(['holdfast_entries_published_total 1']);
});
