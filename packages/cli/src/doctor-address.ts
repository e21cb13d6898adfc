/** Steps DNS and TCP of `holdfast doctor`: which addresses a name has, and which of them take a connection. */

import { connect, isIP } from 'node:net';
import { durationText, end, failed, ok, warning, type Observation, type Outcome } from './doctor-report.ts';
import type { Target } from './doctor-target.ts';
import type { Address, World } from './doctor-world.ts';

/** More are not tried. */
const ADDRESSES_MAX = 16;

export async function examineName({ host }: Target, world: World): Promise<Outcome<readonly Address[]>> {
  const literal = isIP(host);
  if (literal !== 0) return { observations: [ok(`${host} is an address already`)], value: [{ address: host, family: literal }] };
  try {
    const addresses = (await world.lookup(host)).slice(0, ADDRESSES_MAX);
    if (addresses.length === 0) return end(nameFailure(host, 'ENODATA'));
    const texts = addresses.map(({ address, family }) => `${address} (IPv${family})`);
    return {
      observations: [ok(`${host} is ${texts.join(', ')}`, { addresses: addresses.map(({ address }) => address) })],
      value: addresses,
    };
  } catch (error) {
    return end(nameFailure(host, codeOf(error)));
  }
}

function nameFailure(host: string, code: string): Observation {
  if (code === 'EAI_AGAIN')
    return failed(
      `the name server did not answer for ${host} (${code})`,
      "Check this machine's network and name server; the name itself may be right.",
    );
  const mend = "Check the spelling and the name's A and AAAA records; names of a private network need its VPN or name server.";
  return failed(`there is no address for the name ${host} (${code})`, mend);
}

interface Attempt {
  readonly address: Address;
  readonly tookMs: number;
  /** Why not; `undefined` if it was taken. */
  readonly code: string | undefined;
}

/** Tries every address; the value is the first in their order that takes a connection. */
export async function examineAddresses(target: Target, addresses: readonly Address[], waitMs: number): Promise<Outcome<Address>> {
  const attempts = await Promise.all(addresses.map((address) => attempt(address, target.port, waitMs)));
  const reached = attempts.find(({ code }) => code === undefined);
  const observations = attempts.map((one) => observeAttempt(one, target, reached !== undefined));
  return reached === undefined ? { observations } : { observations, value: reached.address };
}

function attempt(address: Address, port: number, waitMs: number): Promise<Attempt> {
  const sinceMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ host: address.address, port });
    const settle = (code: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ address, tookMs: performance.now() - sinceMs, code });
    };
    const timer = setTimeout(() => settle('ETIMEDOUT'), waitMs);
    socket.once('connect', () => settle(undefined));
    socket.once('error', (error) => settle(codeOf(error)));
  });
}

function observeAttempt({ address, tookMs, code }: Attempt, { port, isLoopback }: Target, isReached: boolean): Observation {
  const place = address.family === 6 ? `[${address.address}]:${port}` : `${address.address}:${port}`;
  const facts = { address: address.address, port, ...(code === undefined ? {} : { code }) };
  if (code === undefined) return { ...ok(`${place} takes connections`, facts), tookMs };
  const { text, mend } = connectFailure(code, durationText(tookMs), isLoopback);
  if (!isReached) return { ...failed(`${place} ${text}`, mend, facts), tookMs };
  const other = 'Clients that try this address first lose time with it; mend it, or take it out of the DNS.';
  return { ...warning(`${place} ${text}`, other, facts), tookMs };
}

/** What the operating system's code for a connection that did not come about means. */
export function connectFailure(code: string, after: string, isLoopback: boolean): { readonly text: string; readonly mend: string } {
  switch (code) {
    case 'ECONNREFUSED':
      return {
        text: 'refuses the connection: nobody listens there (ECONNREFUSED)',
        mend: isLoopback
          ? 'Start the server, or check its port; in a container, this machine is the container itself.'
          : 'Start the server, check its port, and that it listens on more than 127.0.0.1.',
      };
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'EADDRNOTAVAIL':
      return {
        text: `cannot be reached: there is no way to it (${code})`,
        mend: 'Check the route, the VPN, and whether this network has that kind of IP at all.',
      };
    case 'ETIMEDOUT':
      return {
        text: `did not answer within ${after} (ETIMEDOUT)`,
        mend: 'A firewall or security group probably drops it: open the port, and check that the address is still the right one.',
      };
    case 'EACCES':
    case 'EPERM':
      return { text: `may not be connected to (${code})`, mend: "This machine's own firewall or sandbox forbids it." };
    case 'ECONNRESET':
      return {
        text: 'broke the connection off at once (ECONNRESET)',
        mend: 'A firewall or a load balancer without a server behind it does so: look at its log.',
      };
    default:
      return { text: `takes no connection (${code})`, mend: 'Look the code up for this operating system.' };
  }
}

export function codeOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code ?? (error instanceof Error ? error.message : String(error));
}
