/** The hook `authorize` of the server: what a token's capabilities allow, and several hooks as one. */

import type { Authorize, Grant, Identity, Question } from '@holdfast/server';
import { HoldfastError, isJsonObject } from '@holdfast/wire';
import { CAPABILITY_CLAIM, parseCapabilities, type Room } from './capability.ts';

export interface CapabilitiesOptions {
  /** The claim that holds them. Default `holdfast`. */
  readonly claim?: string;
}

/** How many patterns a refusal names. */
const NAMED_MAX = 5;

/**
 * Allows what the token allows: of the patterns that meet the topic and list the action, the most exact one gives the
 * grant. Refuses with `FORBIDDEN`, saying what was missing. Whoever has no capabilities may do nothing.
 */
export function createCapabilities({ claim = CAPABILITY_CLAIM }: CapabilitiesOptions = {}): Authorize {
  const known = new WeakMap<Identity, readonly Room[]>();
  const roomsOf = (identity: Identity): readonly Room[] => {
    let rooms = known.get(identity);
    if (rooms === undefined) known.set(identity, (rooms = readClaim(identity, claim)));
    return rooms;
  };
  return (question) => {
    const { identity, action, topic } = question;
    const rooms = roomsOf(identity);
    const allowing = rooms.filter(({ capability: { actions } }) => actions.includes(action) || actions.includes('*'));
    const room = allowing.find(({ matches }) => matches(topic, identity.subject));
    if (room === undefined) throw missing(question, allowing);
    const { floor, untilMs } = room.capability;
    return { ...(floor === undefined ? {} : { floor }), ...(untilMs === undefined ? {} : { untilMs }) };
  };
}

function readClaim({ claims }: Identity, claim: string): readonly Room[] {
  const value = isJsonObject(claims) && Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (value === undefined) {
    throw new HoldfastError('FORBIDDEN', `the credentials have no capabilities: there is no claim "${claim}"`, {
      hint: `Issue tokens with such a claim: {"${claim}": {"chat/:room": ["subscribe", "publish"]}}.`,
    });
  }
  try {
    return parseCapabilities(value);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError('FORBIDDEN', `the claim "${claim}" allows nothing, because of a mistake in it: ${error.message}`, {
      hint: error.hint,
    });
  }
}

function missing({ action, topic }: Question, allowing: readonly Room[]): HoldfastError {
  const named = allowing.slice(0, NAMED_MAX).map(({ pattern }) => `"${pattern}"`);
  if (allowing.length > NAMED_MAX) named.push(`${allowing.length - NAMED_MAX} more`);
  const scope = named.length === 0 ? 'none for this action' : `for this action: ${named.join(', ')}`;
  return new HoldfastError('FORBIDDEN', `the credentials have no capability to ${action} "${topic.slice(0, 200)}"; they have ${scope}`);
}

/**
 * What all of `hooks` allow: they are asked in turn, the first that refuses or throws decides, and of several grants the
 * higher floor and the earlier end count. Answers at once if they all do. Without a hook nothing is allowed.
 */
export function combineAuthorize(...hooks: readonly Authorize[]): Authorize {
  return (question) => (hooks.length === 0 ? false : askFrom(hooks, 0, question, true));
}

type Answer = boolean | Grant;

function askFrom(hooks: readonly Authorize[], at: number, question: Question, sofar: true | Grant): Answer | Promise<Answer> {
  const hook = hooks[at];
  if (hook === undefined) return sofar;
  const goOn = (answer: Answer): Answer | Promise<Answer> => {
    const both = narrow(sofar, answer);
    return both === false ? false : askFrom(hooks, at + 1, question, both);
  };
  const answer = hook(question);
  return answer instanceof Promise ? answer.then(goOn) : goOn(answer);
}

/** Whatever is neither `true` nor a grant refuses, as the server has it. */
function narrow(sofar: true | Grant, answer: Answer): Answer {
  if (answer === true) return sofar;
  if (typeof answer !== 'object' || answer === null) return false;
  if (sofar === true) return answer;
  const floor = Math.max(sofar.floor ?? 0, answer.floor ?? 0);
  const untilMs = Math.min(sofar.untilMs ?? Infinity, answer.untilMs ?? Infinity);
  return { ...(floor === 0 ? {} : { floor }), ...(untilMs === Infinity ? {} : { untilMs }) };
}
