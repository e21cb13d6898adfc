/** The programs of README.md, as they stand there. */

import { readFileSync } from 'node:fs';
import * as server from '@holdfast/server';
import { expect, test } from 'vitest';
import { SECRET, serveBackEnd } from './back-end.testing.ts';
import * as http from './index.ts';

type Program = (...values: unknown[]) => Promise<unknown>;

const text: string = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const programs = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1]!);

/** A program as a function of what it imports and takes for granted. */
function compile(program: string, names: readonly string[]): Program {
  const body = program.replaceAll(/^import (\{[^}]*\}) from '@holdfast\/\w+';$/gm, 'const $1 = modules;');
  expect(body).not.toContain('import ');
  const AsyncFunction = (async () => undefined).constructor as new (...text: string[]) => Program;
  return new AsyncFunction('modules', 'console', ...names, body);
}

const modules = { ...server, ...http };

test('the first program does what it says', async () => {
  const said: string[] = [];
  await compile(programs[0]!, [])(modules, { log: (text: string) => said.push(text) });
  expect(said).toEqual(['201: entry 1']);
});

test('the webhooks of the second are accepted', async () => {
  const program = `const { createWebhooks, createHub, Endpoint, createRestApi } = modules;\n${programs[1]}\nreturn hub;`;
  const run = compile(program, ['process', 'store']);
  const hub = await run(modules, console, { env: { HOLDFAST_WEBHOOK_SECRET: SECRET } }, server.createMemoryStore());
  expect(hub).toBeInstanceOf(server.Hub);
  await (hub as server.Hub).close();
});

test('the third answers what the second asks', async () => {
  const answered: unknown[] = [];
  const run = compile(`const { verifyWebhook } = modules;\n${programs[2]}`, ['secret', 'incoming', 'body', 'answer', 'isBanned']);
  const backEnd = await serveBackEnd(async ({ headers, text }) => {
    await run(
      modules,
      console,
      SECRET,
      { headers },
      text,
      (one: unknown) => answered.push(one),
      (subject: string) => subject === 'bob',
    );
    return answered.at(-1) as { allow: boolean };
  });
  const { beforePublish } = http.createWebhooks({ url: backEnd.url, secret: SECRET });
  expect(await beforePublish({ topic: 't', identity: { subject: 'alice' }, items: [1] })).toBeUndefined();
  await expect(beforePublish({ topic: 't', identity: { subject: 'bob' }, items: [1] })).rejects.toMatchObject({ code: 'REFUSED' });
  expect(answered).toEqual([{ allow: true }, { allow: false }]);
  await backEnd.close();
});
