/** A private authority and what it issues, made with the machine's `openssl`. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pair {
  readonly key: string;
  readonly cert: string;
}

export interface IssueOptions {
  /** Default: `DNS:localhost,IP:127.0.0.1`. */
  readonly names?: string;
  /** Below 0 it has ended already. */
  readonly days?: number;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const NAMES = 'DNS:localhost,IP:127.0.0.1';

/** A folder with an authority in it. */
export class Authority {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'));
  /** Its certificate, PEM. */
  readonly ca: string;
  #issued = 0;

  constructor() {
    this.#openssl('req', '-x509', ...NEW_KEY, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '400', '-subj', '/CN=Test authority');
    this.ca = this.#read('ca.pem');
  }

  get caPath(): string {
    return join(this.directory, 'ca.pem');
  }

  issue({ names = NAMES, days = 90 }: IssueOptions = {}): Pair {
    const name = `pair-${++this.#issued}`;
    this.#openssl(
      'req',
      ...NEW_KEY,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      '/CN=server',
      '-addext',
      `subjectAltName=${names}`,
    );
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy', '-days', String(days)];
    this.#openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signing);
    return this.#pair(name);
  }

  /** One that nobody but itself vouches for. */
  selfSigned(): Pair {
    const name = 'self-signed';
    const subject = ['-subj', '/CN=alone', '-addext', `subjectAltName=${NAMES}`, '-days', '90'];
    this.#openssl('req', '-x509', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.pem`, ...subject);
    return this.#pair(name);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #pair(name: string): Pair {
    return { key: this.#read(`${name}.key`), cert: this.#read(`${name}.pem`) };
  }

  #read(name: string): string {
    return readFileSync(join(this.directory, name), 'utf8');
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.directory, stdio: 'pipe' });
  }
}

/** Why there can be no certificates here; `undefined` if there can. */
export const LACK_OF_OPENSSL: string | undefined = lackOfOpenssl();

function lackOfOpenssl(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'no openssl on this machine';
  }
}
