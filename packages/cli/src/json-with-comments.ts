/**
 * JSON as people write it into a file of settings: with `//` and block comments, and commas after the last item. Knows at
 * which line each key stands. What it says of a mistake never repeats the text, which may hold secrets. The grammar is
 * that of RFC 8259 otherwise; a key that comes twice is a mistake here.
 */

import type { Json } from '@holdfast/wire';

/** The text is not such JSON. `line` is from 1. */
export class JsonMistake extends Error {
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

export interface ParsedJson {
  readonly value: Json;
  /** The line of each key and item, from 1, by its place: `auth.jwt.secret`, `topics[0].pattern`. The whole has the place ``. */
  readonly lines: ReadonlyMap<string, number>;
}

const DEPTH_MAX = 32;
const SPACE = /(?:[ \t\r\n]|\/\/[^\n]*|\/\*[^]*?\*\/)*/y;
// oxlint-disable-next-line no-control-regex -- RFC 8259 section 7: they must be escaped
const STRING = /"(?:[^"\\\u0000-\u001f]|\\.)*"/y;
const SCALAR = /-?\d[\d.eE+-]*|true|false|null/y;

/** Throws a `JsonMistake`. */
export function parseJsonWithComments(text: string): ParsedJson {
  return new Reader(text.replace(/^\uFEFF/, '')).whole();
}

class Reader {
  readonly #text: string;
  readonly #lines = new Map<string, number>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): ParsedJson {
    this.#take(SPACE);
    const value = this.#value('', 0);
    if (this.#at < this.#text.length) throw this.#mistake('nothing more is wanted here');
    return { value, lines: this.#lines };
  }

  #value(place: string, depth: number): Json {
    if (depth > DEPTH_MAX) throw this.#mistake(`more than ${DEPTH_MAX} levels`);
    if (!this.#lines.has(place)) this.#lines.set(place, this.#line());
    const next = this.#text[this.#at];
    const value = next === '{' ? this.#object(place, depth) : next === '[' ? this.#array(place, depth) : this.#scalar();
    this.#take(SPACE);
    return value;
  }

  #object(place: string, depth: number): Json {
    const value: Record<string, Json> = {};
    this.#items('}', () => {
      const line = this.#line();
      const key = this.#string();
      if (key === undefined) throw this.#mistake('want a key in double quotes');
      if (Object.hasOwn(value, key)) throw this.#mistake(`the key "${key}" stands here twice`, line);
      if (key === '__proto__') throw this.#mistake('the key "__proto__" is not allowed', line);
      const name = place === '' ? key : `${place}.${key}`;
      this.#lines.set(name, line);
      this.#take(SPACE);
      this.#sign(':', `want ":" after the key "${key}"`);
      value[key] = this.#value(name, depth + 1);
    });
    return value;
  }

  #array(place: string, depth: number): Json {
    const value: Json[] = [];
    this.#items(']', () => value.push(this.#value(`${place}[${value.length}]`, depth + 1)));
    return value;
  }

  #items(end: string, item: () => void): void {
    this.#at += 1;
    this.#take(SPACE);
    while (this.#text[this.#at] !== end) {
      item();
      if (this.#text[this.#at] === end) break;
      this.#sign(',', `want "," or "${end}"`);
    }
    this.#at += 1;
  }

  #scalar(): Json {
    const text = this.#string();
    if (text !== undefined) return text;
    const token = this.#take(SCALAR);
    try {
      if (token !== undefined) return JSON.parse(token) as Json;
    } catch {
      throw this.#mistake('this is no number');
    }
    throw this.#mistake('want a value: text in double quotes, a number, true, false, null, {...} or [...]');
  }

  #string(): string | undefined {
    if (this.#text[this.#at] !== '"') return undefined;
    const token = this.#take(STRING);
    try {
      if (token !== undefined) return JSON.parse(token) as string;
    } catch {
      throw this.#mistake('this text has an escape that does not exist');
    }
    throw this.#mistake('this text does not end on its line');
  }

  #sign(sign: string, otherwise: string): void {
    if (this.#text[this.#at] !== sign) throw this.#mistake(otherwise);
    this.#at += 1;
    this.#take(SPACE);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const token = pattern.exec(this.#text)?.[0];
    this.#at += token?.length ?? 0;
    return token;
  }

  #line(): number {
    return this.#text.slice(0, this.#at).split('\n').length;
  }

  #mistake(message: string, line: number = this.#line()): JsonMistake {
    return new JsonMistake(message, line);
  }
}
