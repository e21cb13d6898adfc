/** The programs of README.md, as they stand there. */

// The linter types a test without its package's configuration.
/// <reference types="node" />

import { readFileSync } from 'node:fs';
import * as server from '@holdfast/server';
import { expect, test } from 'vitest';
import * as auth from './index.ts';

type Program = (...parameters: unknown[]) => Promise<void>;

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, text]) => text!);

/** Runs a program with all exports at hand, and returns what it printed. */
async function run(program: string): Promise<string> {
  const body = program.replace(/^import (\{[^}]*\}) from '@holdfast\/(server|auth)';$/gm, 'const $1 = packages.$2;');
  expect(body).not.toContain('import ');
  const lines: string[] = [];
  const AsyncFunction = (async () => undefined).constructor as new (...text: string[]) => Program;
  // The first program imports; the others go on from it.
  const given = body === program ? Object.entries(auth) : [];
  const names = given.map(([name]) => name);
  const execute = new AsyncFunction('packages', 'console', ...names, body);
  await execute({ server, auth }, { log: (value: unknown) => lines.push(String(value)) }, ...given.map(([, value]) => value));
  return lines.map((line) => `${line}\n`).join('');
}

const programs = blocks('js');

test('the first program prints what it says', async () => {
  expect(await run(programs[0]!)).toBe(blocks('text')[0]);
});

test('the others run', async () => {
  expect(await Promise.all(programs.slice(1).map(run))).toEqual(['', 'alice\n', 'true\n']);
});

test('the capabilities mean what is said of them', () => {
  const [claim] = blocks('json');
  const identity = { subject: 'alice', claims: { holdfast: JSON.parse(claim!) as unknown } };
  const ask = (action: server.Action, topic: string): unknown => auth.createCapabilities()({ identity, action, topic });
  expect(ask('subscribe', 'chat/42')).toEqual({ floor: 118, untilMs: 1_800_000_000_000 });
  expect(ask('publish', 'chat/42')).toEqual({});
  expect(ask('read', 'inbox/alice')).toEqual({});
});
