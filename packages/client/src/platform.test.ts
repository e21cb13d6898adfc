/** The client where there is nothing but ECMAScript: no TextDecoder, URL, crypto, structuredClone; no async symbols either. */

import { runInContext, createContext } from 'node:vm';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import type { Client } from './client.ts';
import { MemoryNetwork } from './memory-network.testing.ts';
import { ScriptedServer } from './scripted-server.testing.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

/** Hermes lacks these two, and its compilers use `@@asyncIterator` in place of the first. */
const WITHOUT_ASYNC_SYMBOLS = `{
  const Whole = Symbol;
  globalThis.Symbol = (description) => Whole(description);
  for (const name of ['iterator', 'toPrimitive', 'toStringTag', 'hasInstance', 'species']) Symbol[name] = Whole[name];
}`;

it('publishes and follows on bare ECMAScript', async () => {
  const { outputFiles } = await build({
    entryPoints: [new URL('index.ts', import.meta.url).pathname],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'holdfast',
    target: 'es2022',
    conditions: ['@holdfast/source'],
  });
  const code = outputFiles[0]!.text;
  expect(code).not.toMatch(/async\s*\*/);
  const context = createContext({});
  expect(runInContext('typeof TextDecoder + typeof crypto + typeof setTimeout + typeof AbortController', context)).toBe(
    'undefined'.repeat(4),
  );
  runInContext(WITHOUT_ASYNC_SYMBOLS, context);
  runInContext(code, context);
  const clock = new VirtualClock();
  const network = new MemoryNetwork(clock);
  const server = new ScriptedServer(network);
  Object.assign(context, { clock, socket: network.socket, seen: [] });
  const client = runInContext('globalThis.client = holdfast.createClient({ url: "ws://server", clock, socket })', context) as Client;
  runInContext(
    `{
      const topic = client.topic('chat/1');
      const reader = topic['@@asyncIterator']();
      const step = () => reader.next().then(({ done, value }) => { if (!done) { seen.push(value.data); step(); } });
      step();
      topic.publish({ text: 'grüß dich 😀' });
      topic.publish(new Uint8Array([1, 2, 3]));
    }`,
    context,
  );
  await clock.advance(20);
  network.cut();
  server.append('chat/1', 'later');
  await clock.advance(2_000);
  expect(JSON.stringify((context as unknown as { seen: unknown[] }).seen)).toBe('[{"text":"grüß dich 😀"},{"0":1,"1":2,"2":3},"later"]');
  expect(typeof (client as unknown as Record<string, unknown>)['@@asyncDispose']).toBe('function');
  await client.close();
});
