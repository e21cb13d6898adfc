/**
 * The key and the certificate of a server, and their renewal while it runs: files are looked at every few seconds, and a
 * pair that changed takes effect for new connections. Who renews (certbot, Kubernetes) replaces a symbolic link or writes
 * one file after the other, so what counts is the file behind the link, a change is read once it has stood still, and a
 * pair that does not fit together changes nothing. Knows nothing of the server that it is for.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { HoldfastError } from '@holdfast/wire';
import type { Clock, Timer } from './clock.ts';

/** Paths of PEM files, which are watched, or PEM texts themselves. */
export interface TlsOptions {
  readonly key: string;
  /** The server's certificate first, then those between it and its authority (`fullchain.pem`). */
  readonly cert: string;
  /** Certificates of authorities, where `cert` lacks what lies between. Clients are not asked for certificates. */
  readonly ca?: string;
  /** Of the key, where it has one. */
  readonly passphrase?: string;
  /** How often the files are looked at, ms; a change takes effect at the second look. Default 10,000; 0: only `reloadTls` looks. */
  readonly checkIntervalMs?: number;
  /** A changed pair has taken effect. */
  readonly onReload?: (status: TlsStatus) => void;
  /** Files that changed cannot be used, and the pair before them is served on. Told once for each change. Default: `console.error`. */
  readonly onError?: (error: unknown) => void;
}

/** The certificate that new connections get. */
export interface TlsStatus {
  /** When it ends, ms since 1970. */
  readonly expiresAtMs: number;
}

interface Pair extends TlsStatus {
  readonly context: SecureContextOptions;
}

const CHECK_INTERVAL_MS = 10_000;
const PEM = '-----BEGIN ';

/** The pair of a server, kept up to date from `watch` to `close`. */
export class TlsFiles implements TlsStatus {
  readonly #options: TlsOptions;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  #pair: Pair;
  #apply: ((context: SecureContextOptions) => void) | undefined;
  #timer: Timer | undefined;
  #isClosed = false;
  /** What the files were when they were last read, and at the last look. */
  #readStamp: string;
  #seenStamp: string;
  /** The failure that was told last: it is tried again at each look, and not told again. */
  #told: string | undefined;
  #reloading: Promise<void> = Promise.resolve();

  /** Reads the pair. Rejects with `USAGE` if a file cannot be read or the two do not fit together. */
  static async open(options: TlsOptions, clock: Clock): Promise<TlsFiles> {
    const stamp = await stampOf(options);
    return new TlsFiles(options, clock, await readPair(options), stamp);
  }

  private constructor(options: TlsOptions, clock: Clock, pair: Pair, stamp: string) {
    this.#options = options;
    this.#clock = clock;
    // oxlint-disable-next-line no-console -- the default of a port whose purpose is to be replaced
    this.#onError = options.onError ?? ((error) => console.error(error));
    this.#pair = pair;
    this.#readStamp = this.#seenStamp = stamp;
  }

  get expiresAtMs(): number {
    return this.#pair.expiresAtMs;
  }

  /** Key, certificate and oldest version (TLS 1.2), for `tls.createServer` and `setSecureContext`. */
  get context(): SecureContextOptions {
    return this.#pair.context;
  }

  /** From now on changes are handed to `apply`. */
  watch(apply: (context: SecureContextOptions) => void): void {
    this.#apply = apply;
    this.#schedule();
  }

  /** Reads the files and applies them, changed or not. Rejects, and leaves all as it was, if they cannot be used. */
  reload(): Promise<void> {
    const reloading = this.#reloading.then(() => this.#reload());
    this.#reloading = reloading.catch(() => undefined);
    return reloading;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
  }

  async #reload(): Promise<void> {
    // Taken before reading: what changes meanwhile is seen at the next look.
    const stamp = await stampOf(this.#options);
    const pair = await readPair(this.#options);
    if (this.#isClosed) return;
    this.#apply?.(pair.context);
    this.#pair = pair;
    this.#readStamp = stamp;
    this.#told = undefined;
  }

  #schedule(): void {
    const { checkIntervalMs = CHECK_INTERVAL_MS } = this.#options;
    if (this.#isClosed || checkIntervalMs === 0) return;
    this.#timer = this.#clock.setTimeout(() => {
      void this.#look()
        .catch((error: unknown) => this.#onError(error))
        .finally(() => this.#schedule());
    }, checkIntervalMs);
  }

  async #look(): Promise<void> {
    const stamp = await stampOf(this.#options);
    const hasSettled = stamp === this.#seenStamp;
    this.#seenStamp = stamp;
    if (stamp === this.#readStamp || !hasSettled || this.#isClosed) return;
    try {
      await this.reload();
    } catch (error) {
      const failure = `${stamp} ${String(error)}`;
      if (failure === this.#told) return;
      this.#told = failure;
      throw error;
    }
    if (!this.#isClosed) this.#options.onReload?.({ expiresAtMs: this.expiresAtMs });
  }
}

/** Whatever changes when one of the files does, behind links as well. */
async function stampOf({ key, cert, ca }: TlsOptions): Promise<string> {
  const stamps = [key, cert, ca].map(async (file) => {
    if (file === undefined || isPem(file)) return '';
    try {
      const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file);
      return [dev, ino, size, mtimeMs, ctimeMs].join(':');
    } catch (error) {
      return String(error);
    }
  });
  return (await Promise.all(stamps)).join(' ');
}

async function readPair({ passphrase, ...files }: TlsOptions): Promise<Pair> {
  const [key, cert, ca] = await Promise.all([read('key', files.key), read('cert', files.cert), files.ca && read('ca', files.ca)]);
  const context: SecureContextOptions = {
    key,
    cert,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
  const names = `${nameOf('key', files.key)} and ${nameOf('cert', files.cert)}`;
  try {
    createSecureContext(context);
    const certificate = new X509Certificate(cert);
    const isPair = certificate.checkPrivateKey(createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) }));
    if (!isPair) throw new Error('key values mismatch');
    return { context, expiresAtMs: Date.parse(certificate.validTo) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const hint =
      'Give a private key and the certificate that was issued for it, first in its file, both as PEM; and the passphrase if the key has one.';
    throw new HoldfastError('USAGE', `${names} cannot be used together: ${why}`, { hint, cause: error });
  }
}

async function read(role: string, file: string): Promise<string> {
  if (isPem(file)) return file;
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const hint = 'Give the path of a PEM file that this process may read, or the PEM text itself.';
    throw new HoldfastError('USAGE', `tls.${role} cannot be read: ${why}`, { hint, cause: error });
  }
}

function isPem(text: string): boolean {
  return text.includes(PEM);
}

/** Never the text itself: it is a secret. */
function nameOf(role: string, file: string): string {
  return isPem(file) ? `tls.${role}` : `tls.${role} (${file})`;
}
