/** The files of this room: the corpus that is kept, and what was found. They stand beside the built program's folder. */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inputsOf, lineOf, type Input } from './input.ts';

const room: string = fileURLToPath(new URL('..', import.meta.url));

/** The kept inputs of a target; none if there is no file. */
export function readCorpus(target: string): Input[] {
  const file = join(room, 'corpus', `${target}.txt`);
  return existsSync(file) ? inputsOf(readFileSync(file, 'utf8')) : [];
}

export function writeCorpus(target: string, inputs: readonly Input[]): void {
  mkdirSync(join(room, 'corpus'), { recursive: true });
  writeFileSync(join(room, 'corpus', `${target}.txt`), inputs.map((input) => `${lineOf(input)}\n`).join(''));
}

/** Writes what failed; returns the file's path from the repository's root. The target's name is in it. */
export function writeFound(target: string, message: string, inputs: readonly Input[]): string {
  const lines = inputs.map(lineOf).join('\n');
  const name = `${target}-${createHash('sha256').update(lines).digest('hex').slice(0, 10)}.txt`;
  mkdirSync(join(room, 'found'), { recursive: true });
  const said = message.split('\n')[0]!.slice(0, 200);
  writeFileSync(join(room, 'found', name), `# ${said}\n${lines}\n`);
  return `fuzz/found/${name}`;
}

/** Everything that was ever found, with its target. */
export function readFound(): { readonly file: string; readonly target: string; readonly inputs: readonly Input[] }[] {
  const folder = join(room, 'found');
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.txt')) : [];
  return files.map((file) => ({ file, target: targetOf(file), inputs: inputsOf(readFileSync(join(folder, file), 'utf8')) }));
}

/** The target in the name of such a file. */
export function targetOf(path: string): string {
  return /([a-z]+(?:-[a-z]+)?)-[0-9a-f]+\.txt$/.exec(path)?.[1] ?? '';
}
