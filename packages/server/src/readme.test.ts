/** The programs of README.md, as they stand there. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as server from './index.ts';

type Program = (modules: unknown, console: unknown, ...rest: unknown[]) => Promise<void>;

const programs = [...readFileSync(new URL('../README.md', import.meta.url), 'utf8').matchAll(/```js\n([\s\S]*?)```/g)].map(
  ([, text]) => text!,
);

/** A program as a function of what it imports, its console, and whatever else it takes for granted. */
function compile(program: string, ...names: string[]): Program {
  const body = program.replace(/^import (\{[^}]*\}) from '@holdfast\/server';$/m, 'const $1 = modules;');
  expect(body).not.toContain('import ');
  const AsyncFunction = (async () => undefined).constructor as new (...text: string[]) => Program;
  return new AsyncFunction('modules', 'console', ...names, body);
}

test('the first program does what it says', async () => {
  const said: string[] = [];
  await compile(programs[0]!)(server, { log: (text: string) => said.push(text) });
  expect(said).toEqual([expect.stringMatching(/^entry 1 is stored; listening on ws:\/\/127\.0\.0\.1:\d+$/)]);
});

test('the paths of the second are accepted', async () => {
  const hub = server.createHub({ store: server.createMemoryStore() });
  let listening: Promise<server.HoldfastServer> | undefined;
  const listen = (options: server.ListenOptions): void => void (listening = server.listen({ ...options, port: 0 }));
  const identify = (): server.Identity => ({ subject: 'a' });
  await compile(programs[1]!, 'hub', 'listen', 'authenticate', 'authorize', 'fromCookie')(
    server,
    console,
    hub,
    listen,
    identify,
    () => true,
    identify,
  );
  const { port, close } = await listening!;
  expect(port).toBeGreaterThan(0);
  await close();
});
