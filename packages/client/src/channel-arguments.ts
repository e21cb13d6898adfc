/** What a channel accepts, and refuses with `USAGE` before anything changes. Source: RFC 6455 sections 4.1, 5.5.1, 7.4. */

import { HoldfastError, utf8Length } from '@holdfast/wire';

/** Bytes that RFC 6455 section 5.5 leaves for a close reason: 125 less the code's 2. */
const REASON_BYTES_MAX = 123;

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;

export function usage(message: string, hint?: string): HoldfastError {
  return new HoldfastError('USAGE', message, hint === undefined ? {} : { hint });
}

/** What a message is: text, or bytes. */
export function assertMessage(data: unknown): asserts data is string | Uint8Array {
  // By its tag, not its class: one of another realm is as good.
  if (typeof data === 'string' || Object.prototype.toString.call(data) === '[object Uint8Array]') return;
  throw usage(
    `a message is a string or a Uint8Array, not ${nameOf(data)}`,
    'Encode it first: JSON.stringify(value), Uint8Array.from(numbers), new Uint8Array(buffer).',
  );
}

/** What `close` may say: no code, 1000, or 3000 to 4999; a reason of at most 123 bytes of UTF-8, and only with a code. */
export function assertClose(code: unknown, reason: unknown): void {
  const isOwn = typeof code === 'number' && Number.isInteger(code) && code >= 3000 && code <= 4999;
  if (code !== undefined && code !== 1000 && !isOwn) {
    throw usage(`${shownCode(code)} is no code to close with`, '1000 is a normal end; 3000 to 4999 are for applications.');
  }
  if (reason === undefined || reason === '') return;
  if (typeof reason !== 'string') throw usage(`a reason is a string, not ${nameOf(reason)}`);
  if (code === undefined) throw usage('a reason needs a code', 'Give 1000 for a normal end.');
  const bytes = utf8Length(reason);
  if (bytes > REASON_BYTES_MAX) {
    throw usage(`a reason of ${bytes} bytes of UTF-8 is longer than ${REASON_BYTES_MAX}`, 'Shorten it, or send a message before.');
  }
}

/** The list of subprotocols: tokens, each once. */
export function protocolList(protocols: unknown): readonly string[] {
  const list: unknown = typeof protocols === 'string' ? [protocols] : (protocols ?? []);
  if (!Array.isArray(list)) throw usage(`protocols is a list of strings, not ${nameOf(protocols)}`);
  const names = list.map((name: unknown) => {
    if (typeof name === 'string' && TOKEN.test(name)) return name;
    throw usage(
      `${typeof name === 'string' ? `"${name}"` : nameOf(name)} is no name of a subprotocol`,
      'It has letters, digits and -._ only.',
    );
  });
  if (new Set(names).size !== names.length) throw usage('a subprotocol is offered twice');
  return names;
}

/** A number of milliseconds, bytes or messages above 0; `Infinity` for no bound. */
export function positive(name: string, value: unknown, byDefault: number): number {
  if (value === undefined) return byDefault;
  if (typeof value !== 'number' || !(value > 0))
    throw usage(`${name} is a number above 0, not ${typeof value === 'number' ? value : nameOf(value)}`);
  return value;
}

function shownCode(code: unknown): string {
  return typeof code === 'number' ? String(code) : nameOf(code);
}

function nameOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : typeof value;
}
