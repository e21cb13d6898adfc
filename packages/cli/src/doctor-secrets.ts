/**
 * What `holdfast doctor` must never print, and how it quotes what came from elsewhere. A server may echo a token or a query
 * string in its answers, so everything that is printed passes through here.
 */

/** What stands in the place of a secret. */
const HIDDEN = '***';
/** Shorter values are hidden only where they stand alone: hiding every `1` would spoil `127.0.0.1`, and hide nothing. */
const PART_LENGTH_MIN = 4;

/** The secrets of one examination, in all the spellings in which they may come back. */
export class Secrets {
  readonly #values = new Set<string>();

  /** Hides `value` from now on, also percent-encoded and as base64. Empty ones are no secrets. */
  add(value: string): void {
    if (value === '') return;
    const bytes = Buffer.from(value);
    for (const spelling of [value, encodeURIComponent(value), bytes.toString('base64'), bytes.toString('base64url')])
      this.#values.add(spelling);
  }

  /** The text without them. */
  hide(text: string): string {
    let shown = text;
    // Longest first: one may be a part of another.
    for (const value of [...this.#values].toSorted((one, other) => other.length - one.length)) {
      if (value.length >= PART_LENGTH_MIN) shown = shown.replaceAll(value, HIDDEN);
    }
    return shown;
  }

  /** Foreign text in one line: without secrets, control characters and markup, at most `lengthMax` characters. */
  quote(text: string, lengthMax = 160): string {
    let shown = this.hide(text.replaceAll(/<(style|script|head)\b[^]*?<\/\1>/gi, ' ').replaceAll(/<\/?[a-z!][^>]*>/gi, ' '));
    for (const value of this.#values) {
      if (value.length < PART_LENGTH_MIN) shown = shown.replaceAll(new RegExp(`(?<!\\w)${escaped(value)}(?!\\w)`, 'g'), HIDDEN);
    }
    const line = printable(shown).replaceAll(/\s+/g, ' ').trim();
    return line.length <= lengthMax ? line : `${line.slice(0, lengthMax)}...`;
  }

  /** An address without what may be secret in it: the values of its query, a name and password, its fragment. */
  url(address: URL): string {
    const parts = partsOf(address).map(({ name }) => (name === undefined ? HIDDEN : `${name}=${HIDDEN}`));
    const query = parts.length === 0 ? '' : `?${parts.join('&')}`;
    const login = address.username === '' && address.password === '' ? '' : `${HIDDEN}@`;
    return this.hide(`${address.protocol}//${login}${address.host}${address.pathname}`) + query;
  }

  /** Takes the secrets of an address in. */
  addUrl(address: URL): void {
    for (const { value } of partsOf(address)) {
      // As it is spelt here, and as what it stands for.
      this.add(value);
      this.add(decoded(value.replaceAll('+', ' ')));
    }
    for (const value of [address.username, address.password]) {
      this.add(value);
      this.add(decoded(value));
    }
  }
}

/** A query's parts, as they are spelt; one without a name, such as `?secret`, is a value. */
function partsOf({ search }: URL): readonly { readonly name: string | undefined; readonly value: string }[] {
  const parts = search.slice(1).split('&');
  return parts
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf('=');
      return at === -1 ? { name: undefined, value: part } : { name: part.slice(0, at), value: part.slice(at + 1) };
    });
}

/** Without what a terminal would obey. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}|\p{Cf}/gu, ' ');
}

function escaped(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
