/** Which subjects a client can have, and which are kept for back ends. */

/** The longest subject and the longest `credentialId`, characters (PROTOCOL.md HF-5.3). */
const LENGTH_MAX = 256;

/** What the subjects of API keys begin with. No token of a client may give such a subject. */
export const SERVER_PREFIX = 'server:';

/** Whether a value can be a subject, or the id of credentials: 1 to 256 characters. */
export function isIdText(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= LENGTH_MAX;
}
