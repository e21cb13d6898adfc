/** Topics are configured by pattern: `chat/:room` matches `chat/42` and gives `{room: '42'}`; `*` at the end matches the rest. */

import { HoldfastError, isTopicName } from '@holdfast/wire';

export interface TopicPattern {
  readonly pattern: string;
  /** The parameters, or `undefined` if the topic does not match. */
  match(topic: string): Readonly<Record<string, string>> | undefined;
  /** Whether it matches; quicker. */
  matches(topic: string): boolean;
}

/** Throws a `USAGE` error for a pattern that cannot match any topic. */
export function parseTopicPattern(pattern: string): TopicPattern {
  const segments = pattern.split('/');
  const isOpen = segments.at(-1) === '*';
  if (isOpen) segments.pop();
  for (const segment of segments) {
    const isParameter = /^:[A-Za-z][A-Za-z0-9]*$/.test(segment);
    if (!isParameter && (segment.startsWith(':') || !isTopicName(segment))) {
      throw new HoldfastError('USAGE', `the topic pattern "${pattern}" has a segment "${segment}" that no topic can have`, {
        hint: 'Write it as "chat/:room", "market/*" or "*".',
      });
    }
  }
  const expression = expressionOf(segments, isOpen);
  return { pattern, match: (topic) => match(segments, isOpen, topic.split('/')), matches: (topic) => expression.test(topic) };
}

/** Names have no character that means something in an expression but `.`, `+` and `-`, of which the last does so in brackets only. */
function expressionOf(segments: readonly string[], isOpen: boolean): RegExp {
  const parts = segments.map((segment) => (segment.startsWith(':') ? '[^/]*' : segment.replace(/[.+]/g, '\\$&')));
  return new RegExp(`^${[...parts, ...(isOpen ? ['[^]*'] : [])].join('/')}$`);
}

function match(segments: readonly string[], isOpen: boolean, parts: readonly string[]): Record<string, string> | undefined {
  if (isOpen ? parts.length <= segments.length : parts.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [at, segment] of segments.entries()) {
    const part = parts[at]!;
    if (segment.startsWith(':')) parameters[segment.slice(1)] = part;
    else if (segment !== part) return undefined;
  }
  return parameters;
}
