/** What it means that a server cannot listen, and how its address is written. */

import { HoldfastError } from '@holdfast/wire';
import { CommandFailure } from './failure.ts';

/** The operating system's error in words, with the flag that mends it. Any other error as it is. */
export function listenFailure(error: unknown, host: string, port: number, flag = 'port'): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new CommandFailure(
        `port ${port} on ${host} is taken by another program`,
        `End that one, or choose another port: --${flag} ${port === 65_535 ? 0 : port + 1} (--${flag} 0 takes any free one).`,
      );
    case 'EACCES':
      return new CommandFailure(`this user may not listen on port ${port}`, `Choose one above 1023 with --${flag}.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new CommandFailure(
        `${host} is not an address of this machine`,
        'Give --host one that is, such as 127.0.0.1, or 0.0.0.0 for all of them.',
      );
    default:
      return error instanceof HoldfastError && error.code === 'USAGE' ? new CommandFailure(error.message, error.hint) : error;
  }
}

/** What to type on this machine: `http://localhost:8080`, `https://[2001:db8::1]:443`. */
export function webAddress(host: string, port: number, isEncrypted: boolean): string {
  return `${isEncrypted ? 'https' : 'http'}://${displayName(host)}:${port}`;
}

function displayName(host: string): string {
  if (['127.0.0.1', '0.0.0.0', '::', '::1'].includes(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
