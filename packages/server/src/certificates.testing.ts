/** A private authority and what it issues, made with the machine's `openssl`. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why there can be no certificates here; `undefined` if there can. */
export const LACK_OF_OPENSSL: string | undefined = lackOfOpenssl();

export interface Issued {
  readonly key: string;
  readonly cert: string;
}

interface IssueOptions {
  readonly days?: number;
  readonly passphrase?: string;
  /** What kind of key, for `openssl req`. */
  readonly newKey?: readonly string[];
}

/** A folder with an authority in it. */
export class Authority {
  readonly directory: string;
  /** Its certificate, PEM. */
  readonly ca: string;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
    this.#openssl('req', '-x509', ...NEW_KEY, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=Test authority');
    this.ca = this.read('ca.pem');
  }

  /** Issues a pair for `localhost`, as files `<name>.key` and `<name>.pem`; gives their paths. */
  issue(name: string, { days = 1, passphrase, newKey = NEW_KEY }: IssueOptions = {}): Issued {
    this.#openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, '-addext', NAMES);
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy', '-days', String(days)];
    this.#openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signing);
    if (passphrase !== undefined) {
      this.#openssl('pkcs8', '-topk8', '-in', `${name}.key`, '-out', 'locked', '-passout', `pass:${passphrase}`);
      renameSync(this.path('locked'), this.path(`${name}.key`));
    }
    return { key: this.path(`${name}.key`), cert: this.path(`${name}.pem`) };
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.directory, stdio: 'pipe' });
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const NAMES = 'subjectAltName=DNS:localhost,IP:127.0.0.1';

function lackOfOpenssl(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'no openssl on this machine';
  }
}
