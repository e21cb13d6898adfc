/** The connection's state in plain words. */

import type { ClientStatus } from '@holdfast/client';

/** What the words are made from. */
export type LinkState = Pick<ClientStatus, 'phase' | 'attempt' | 'retryAtMs' | 'queuedCount' | 'uncertainCount' | 'lastError'>;

export interface LinkWords {
  readonly tone: 'calm' | 'busy' | 'cut';
  readonly headline: string;
  readonly detail: string;
  /** The same without the seconds, for a screen reader, which would read every one of them. */
  readonly spoken: string;
}

export function linkWords(state: LinkState, isPulled: boolean, nowMs: number): LinkWords {
  const { phase, attempt, queuedCount, uncertainCount, lastError } = state;
  const detail = [countWords(queuedCount, phase === 'open'), uncertainWords(uncertainCount)].filter((words) => words !== '').join(' · ');
  const say = (tone: LinkWords['tone'], headline: string, steady: string = headline, more: string = detail): LinkWords => {
    return { tone, headline, detail: more, spoken: [steady, more].filter((words) => words !== '').join(' · ') };
  };
  if (isPulled) return say('cut', 'Unplugged');
  switch (phase) {
    case 'open':
      return say(queuedCount === 0 ? 'calm' : 'busy', 'Connected');
    case 'suspect':
      return say('busy', 'No answer, asking');
    case 'offline':
      return say('cut', 'No network');
    case 'waiting':
      return say('cut', `Reconnecting ${secondsWords(state.retryAtMs, nowMs)}`, 'Reconnecting');
    case 'closed':
      return say('cut', 'Stopped', 'Stopped', [lastError?.message ?? '', detail].filter((words) => words !== '').join(' · '));
    case 'idle':
    case 'connecting':
      return attempt === 0 ? say('busy', 'Connecting') : say('cut', 'Reconnecting now', 'Reconnecting');
  }
}

function secondsWords(retryAtMs: number | undefined, nowMs: number): string {
  const seconds = Math.ceil(((retryAtMs ?? nowMs) - nowMs) / 1_000);
  return seconds <= 0 ? 'now' : `in ${seconds} s`;
}

function countWords(count: number, isOpen: boolean): string {
  if (count === 0) return isOpen ? 'everything is delivered' : 'nothing is waiting';
  return `${count} ${count === 1 ? 'message' : 'messages'} ${isOpen ? 'on the way' : 'waiting'}`;
}

function uncertainWords(count: number): string {
  return count === 0 ? '' : `${count} to decide`;
}
