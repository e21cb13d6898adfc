/** Runs the built `holdfast` as a process of its own, and waits for what it prints. */

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** Somebody who owns nothing: as root, every file can be written whatever its permissions say. */
const NOBODY = 65_534;

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Without rights on what this process owns. */
  readonly asNobody?: boolean;
}

export class Program {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[], { cwd, env = {}, asNobody = false }: ProgramOptions = {}) {
    if (!existsSync(MAIN)) throw new Error('The command line is not built: run "npx tsc -b".');
    const identity = asNobody && process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    const inherited = { ...process.env, NODE_ENV: '', HOLDFAST_TOKEN: '' };
    this.child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { ...inherited, ...env }, stdio: 'pipe', ...identity });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#look();
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#look();
    });
    // It may end before it has read everything.
    this.child.stdin!.on('error', () => {});
    this.finished = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
        this.#look();
      });
    });
    onTestFinished(async () => {
      this.kill('SIGKILL');
      await this.finished;
    });
  }

  /** Waits until either output matches; rejects if the program ends without. */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (match !== null) return match;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`ended without printing ${String(pattern)}:\n${this.stdout}${this.stderr}`);
      }
      await this.#change();
    }
  }

  kill(signal: NodeJS.Signals): void {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const watcher = (): void => {
        this.#watchers.delete(watcher);
        resolve();
      };
      this.#watchers.add(watcher);
    });
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

/** Runs a command to its end. */
export function holdfast(
  args: readonly string[],
  { input = '', ...options }: ProgramOptions & { readonly input?: string } = {},
): Promise<Finished> {
  const program = new Program(args, options);
  program.child.stdin!.end(input);
  return program.finished;
}

export interface Served {
  readonly program: Program;
  readonly port: number;
  /** For `--url`. */
  readonly url: string;
}

/** Starts a server on any free port, or the given one. */
export async function startServer(
  args: readonly string[],
  { port = 0, ...options }: ProgramOptions & { readonly port?: number } = {},
): Promise<Served> {
  const program = new Program(['serve', '--port', String(port), ...args], options);
  const [, scheme, chosen] = await program.prints(/(?:is listening on |"url":")(https?):\/\/localhost:(\d+)[\n"]/);
  return { program, port: Number(chosen), url: `${scheme === 'https' ? 'wss' : 'ws'}://localhost:${chosen}` };
}

/** An empty folder, gone after the test. */
export async function freshFolder({ asNobody = false }: { readonly asNobody?: boolean } = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-cli-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  if (asNobody && process.getuid?.() === 0) await chown(folder, NOBODY, NOBODY);
  return folder;
}
