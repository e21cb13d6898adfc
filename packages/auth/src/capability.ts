/**
 * Capabilities: what a token itself allows, by pattern of topics. Read when they are first needed, strictly: a claim with a
 * mistake in it allows nothing.
 */

import { ACTIONS, parseTopicPattern, type Action, type Grant } from '@holdfast/server';
import { HoldfastError, isJsonObject } from '@holdfast/wire';

/** The claim that holds them unless another one is named. */
export const CAPABILITY_CLAIM = 'holdfast';

/** `*` is every action. */
export type CapabilityAction = Action | '*';

/** Actions with the bounds of the grant that they give. */
export interface Capability extends Grant {
  readonly actions: readonly CapabilityAction[];
}

/**
 * By pattern: `chat/42`, `chat/:room`, `news/*`, `*`; a segment `{subject}` is whoever has the token. For the action
 * `call` the pattern is one of methods. What begins with `holdfast/` is met only by patterns that begin so too.
 */
export type Capabilities = Readonly<Record<string, readonly CapabilityAction[] | Capability>>;

/** One pattern, ready to be asked. */
export interface Room {
  readonly pattern: string;
  readonly capability: Capability;
  readonly matches: (topic: string, subject: string) => boolean;
}

const KNOWN_ACTIONS: readonly unknown[] = ['*', ...ACTIONS] satisfies readonly CapabilityAction[];

const SUBJECT_SEGMENT = '{subject}';

/**
 * The first segment of the server's own topics and methods. A wildcard there does not mean it (as in MQTT 5 section 4.7.2):
 * who may do everything in an application may not therefore give out tickets for others.
 */
const RESERVED_SEGMENT = 'holdfast';

/** The patterns, the more exact ones first: a segment as it is, then `:name`, then `*`. Throws `USAGE`, naming what is wrong. */
export function parseCapabilities(value: unknown): readonly Room[] {
  if (!isJsonObject(value)) throw new HoldfastError('USAGE', 'capabilities are an object of lists of actions by topic pattern');
  const rooms = Object.entries(value).map(([pattern, given]) => roomOf(pattern, given));
  return rooms.sort((one, other) => rankOf(one.pattern).localeCompare(rankOf(other.pattern)));
}

function roomOf(pattern: string, given: unknown): Room {
  const capability = capabilityOf(pattern, given);
  const segments = pattern.split('/');
  const topics = parseTopicPattern(segments.map((segment, at) => (segment === SUBJECT_SEGMENT ? `:s${at}` : segment)).join('/'));
  const places = segments.flatMap((segment, at) => (segment === SUBJECT_SEGMENT ? [at] : []));
  return {
    pattern,
    capability,
    matches: (topic, subject) => {
      if (!topics.matches(topic)) return false;
      // Compared, never put into the pattern: a subject may look like one.
      const parts = topic.split('/');
      if (parts[0] === RESERVED_SEGMENT && segments[0] !== RESERVED_SEGMENT) return false;
      return places.every((at) => parts[at] === subject);
    },
  };
}

function capabilityOf(pattern: string, given: unknown): Capability {
  const place = `the capability "${pattern.slice(0, 80)}"`;
  if (Array.isArray(given)) return { actions: actionsOf(place, given) };
  if (!isJsonObject(given)) throw new HoldfastError('USAGE', `${place} is neither a list of actions nor {actions, floor, untilMs}`);
  const { actions, floor, untilMs, ...others } = given;
  const [unknown] = Object.keys(others);
  // A bound that is misspelt must not be taken for none.
  if (unknown !== undefined) throw new HoldfastError('USAGE', `${place} has an unknown field "${unknown.slice(0, 40)}"`);
  return {
    actions: actionsOf(place, actions),
    ...(floor === undefined ? {} : { floor: countOf(place, 'floor', floor) }),
    ...(untilMs === undefined ? {} : { untilMs: countOf(place, 'untilMs', untilMs) }),
  };
}

function actionsOf(place: string, given: unknown): readonly CapabilityAction[] {
  if (!Array.isArray(given)) throw new HoldfastError('USAGE', `${place} has no list of actions`);
  for (const action of given as readonly unknown[]) {
    if (KNOWN_ACTIONS.includes(action)) continue;
    throw new HoldfastError('USAGE', `${place} has an action "${textOf(action).slice(0, 40)}" that there is not`, {
      hint: `Actions are ${KNOWN_ACTIONS.join(', ')}.`,
    });
  }
  return given as readonly CapabilityAction[];
}

/** For a message: `String` would run what stands in a claim as `toString`. */
function textOf(action: unknown): string {
  return typeof action === 'string' ? action : (JSON.stringify(action) ?? typeof action);
}

function countOf(place: string, field: string, value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new HoldfastError('USAGE', `the ${field} of ${place} is not a whole number of 0 or more`);
}

/** Of two patterns that meet the same topic, the one that says more of it sorts first. */
function rankOf(pattern: string): string {
  return pattern
    .split('/')
    .map((segment) => (segment === '*' ? '2' : segment.startsWith(':') ? '1' : '0'))
    .join('');
}
