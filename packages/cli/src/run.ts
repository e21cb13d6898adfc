/** The command line of `holdfast`: finds the command, runs it, and says in one line what went wrong. */

import type { Command } from './command.ts';
import { EXIT_CODES, explain, UsageError } from './failure.ts';
import { nearest } from './nearest.ts';
import { backup } from './backup.ts';
import { doctor } from './doctor.ts';
import { publish } from './publish.ts';
import { restore } from './restore.ts';
import { serve } from './serve.ts';
import { revoke } from './revoke.ts';
import { tail } from './tail.ts';
import { token } from './token.ts';
import { version } from './version.ts';

const COMMANDS: readonly Command[] = [serve, tail, publish, token, revoke, backup, restore, doctor];

/** Runs a command line without the program's name. Resolves with the exit code (`EXIT_CODES`); never rejects. */
export async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  try {
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') return help(rest);
    if (name === '--version' || name === '-v') {
      console.log(version);
      return EXIT_CODES.ok;
    }
    return await find(name).run(rest);
  } catch (error) {
    const { text, exitCode, seeHelp } = explain(error);
    const command = COMMANDS.some((one) => one.name === name) ? ` ${name}` : '';
    const more = seeHelp === true ? ` See: holdfast${command} --help` : '';
    console.error(`holdfast${command}: ${text}${more}`);
    return exitCode;
  }
}

function help([name]: readonly string[]): number {
  process.stdout.write(name === undefined || name.startsWith('-') ? overview() : find(name).help);
  return EXIT_CODES.ok;
}

function find(name: string): Command {
  const command = COMMANDS.find((one) => one.name === name);
  if (command !== undefined) return command;
  const what = name.startsWith('-') ? `there is no option ${name}` : `there is no command "${name}"`;
  throw new UsageError(
    `${what}${nearest(
      name,
      COMMANDS.map((one) => one.name),
      '',
    )}`,
  );
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  return [
    `holdfast ${version}: a self-hosted real-time server that loses nothing.`,
    'Usage: holdfast COMMAND [options]',
    `Commands:\n${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}`,
    'holdfast COMMAND --help says more, with examples; holdfast --version prints the version.',
    'Exit codes: 0 it worked, 1 it failed, 2 the command line is wrong.\n',
  ].join('\n\n');
}
