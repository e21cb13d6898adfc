/** The value of one cookie in a `Cookie` header (RFC 6265 section 5.4). */

/**
 * All values that the header has under this name, in its order, without quotes around them and otherwise as they are:
 * a name can come several times, with other paths or domains. Names are compared letter by letter.
 */
export function cookiesNamed(name: string, header: string | readonly string[] | undefined): string[] {
  if (header === undefined) return [];
  const pairs = (typeof header === 'string' ? header : header.join(';')).split(';');
  return pairs.flatMap((pair) => {
    const at = pair.indexOf('=');
    if (at === -1 || pair.slice(0, at).trim() !== name) return [];
    const value = pair.slice(at + 1).trim();
    return [/^".*"$/.test(value) ? value.slice(1, -1) : value];
  });
}
