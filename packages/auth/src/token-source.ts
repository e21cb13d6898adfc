/**
 * Where a client's token is found: in a frame, or in the request of the upgrade, which is all that browsers and plain clients
 * can give. Sources are asked in the operator's order; the first that has a token decides, good or bad. What is found twice
 * with different values is refused rather than guessed at: a page on a sibling domain can add a cookie, not replace one.
 */

import type { Credentials } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { cookiesNamed } from './cookie.ts';
import { TICKET_PREFIX } from './ticket.ts';

/**
 * `frame`: the `token` of `hello` and `auth`. `authorization`: `Authorization: Bearer TOKEN`. `cookie:NAME`. `subprotocol`:
 * offered beside `holdfast.v1` as `holdfast.token.` and the token. `query:NAME`: a parameter of the URL, which ends up in
 * logs and histories; give it tickets only.
 */
export type TokenSource = 'frame' | 'authorization' | 'subprotocol' | `cookie:${string}` | `query:${string}`;

/** What the subprotocol with a token begins with. */
export const TOKEN_SUBPROTOCOL = 'holdfast.token.';

/** The token of a client. Throws `UNAUTHENTICATED` if there is none, or more than one. */
export type FindToken = (credentials: Credentials) => string;

/** All tokens that a source has; of none that are empty. */
type Look = (credentials: Credentials) => readonly string[];

/**
 * A finder over `sources`. A token in a frame is always the newest: `auth` sends it to replace the one that came with the
 * upgrade, which is still there. So `frame` comes first, or not at all, and then tokens in frames are refused. Throws `USAGE`
 * for another order, an unknown source, or none.
 */
export function createTokenFinder(sources: readonly TokenSource[]): FindToken {
  if (sources.length === 0) throw new HoldfastError('USAGE', 'there must be at least one source of tokens');
  if (sources.indexOf('frame') > 0) {
    throw new HoldfastError('USAGE', 'the source "frame" must come first', {
      hint: '"auth" replaces the token that came with the upgrade; in another order the old one would count for ever.',
    });
  }
  const looks = sources.map((source) => ({ source, look: lookIn(source) }));
  return (credentials) => {
    if (credentials.token !== undefined && sources[0] !== 'frame') {
      throw refusal('tokens in frames are not accepted here', `Send it by ${sources.join(' or ')}.`);
    }
    if (credentials.token === '') throw refusal('the token is empty');
    for (const { source, look } of looks) {
      const [token, ...others] = new Set(look(credentials));
      if (others.length > 0) throw refusal(`there is more than one token in ${source}`, 'Send one.');
      if (token !== undefined) return token;
    }
    throw refusal(`there is no token; looked in ${sources.join(', ')}`);
  };
}

function lookIn(source: TokenSource): Look {
  const [kind, name] = splitOnce(source, ':');
  if (kind === 'frame' && name === undefined) return ({ token }) => present([token]);
  if (kind === 'authorization' && name === undefined) return ({ headers }) => bearersIn(headers['authorization']);
  if (kind === 'subprotocol' && name === undefined) return ({ protocols }) => protocols.flatMap(tokenOfProtocol);
  if (kind === 'cookie' && name !== undefined && name !== '') return ({ headers }) => present(cookiesNamed(name, headers['cookie']));
  if (kind === 'query' && name !== undefined && name !== '') return ({ url }) => present(queryOf(url).getAll(name));
  throw new HoldfastError('USAGE', `"${String(source)}" is not a source of tokens`, {
    hint: 'They are "frame", "authorization", "subprotocol", "cookie:NAME" and "query:NAME".',
  });
}

/** RFC 6750 section 2.1. Other schemes are somebody else's, such as a proxy's. */
function bearersIn(header: string | readonly string[] | undefined): readonly string[] {
  const values = header === undefined ? [] : [header].flat();
  return values.flatMap((value) => {
    const [scheme, token = ''] = splitOnce(value.trim(), ' ');
    if (scheme.toLowerCase() !== 'bearer') return [];
    if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token.trim())) throw refusal('the Authorization header is not "Bearer" and one token');
    return [token.trim()];
  });
}

/**
 * A JWT and a ticket are legal names of subprotocols as they are (RFC 6455 section 4.1); anything else comes in base64url. They
 * cannot be confused: base64url has no dot, and what it makes of a ticket's prefix is not text.
 */
function tokenOfProtocol(protocol: string): readonly string[] {
  if (!protocol.startsWith(TOKEN_SUBPROTOCOL)) return [];
  const text = protocol.slice(TOKEN_SUBPROTOCOL.length);
  if (text.includes('.') || text.startsWith(TICKET_PREFIX)) return [text];
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw refusal('the subprotocol with the token is neither a JWT nor base64url');
  return [Buffer.from(text, 'base64url').toString('utf8')];
}

function queryOf(url: string): URLSearchParams {
  const at = url.indexOf('?');
  return new URLSearchParams(at === -1 ? '' : url.slice(at + 1));
}

function present(values: readonly (string | undefined)[]): readonly string[] {
  return values.filter((value): value is string => value !== undefined && value !== '');
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function refusal(message: string, hint?: string): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', message, hint === undefined ? {} : { hint });
}
