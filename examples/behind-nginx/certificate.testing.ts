/** A private certificate authority, a certificate that it signed, and a home whose browser trusts it: `openssl` and `certutil`. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  /** The authority's own, which clients are told to trust. */
  readonly ca: string;
  /** The server's, and its key. */
  readonly cert: string;
  readonly key: string;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Issues a certificate for these names, good for two days. */
export function issueCertificates(folder: string, names: readonly string[]): Certificates {
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]): void => execute('openssl', args);
  openssl('req', '-x509', ...KEY, '-keyout', at('ca.key'), '-out', at('ca.crt'), '-days', '2', '-subj', '/CN=Private authority');
  openssl('req', '-new', ...KEY, '-keyout', at('server.key'), '-out', at('server.csr'), '-subj', `/CN=${names[0]!}`);
  writeFileSync(at('server.ext'), `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\nextendedKeyUsage=serverAuth\n`);
  const signing = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at('server.ext')];
  openssl('x509', '-req', '-in', at('server.csr'), '-out', at('server.crt'), ...signing);
  return { ca: at('ca.crt'), cert: at('server.crt'), key: at('server.key') };
}

/** A home for a browser, with a database of certificates that trusts `ca`, or nobody beyond the browser's own list. */
export function makeHome(folder: string, ca: string | undefined): string {
  const database = join(folder, '.pki', 'nssdb');
  mkdirSync(database, { recursive: true });
  const certutil = (...args: readonly string[]): void => execute('certutil', ['-d', `sql:${database}`, ...args]);
  certutil('-N', '--empty-password');
  if (ca !== undefined) certutil('-A', '-t', 'C,,', '-n', 'ca', '-i', ca);
  return folder;
}

function execute(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: 'pipe' });
}
