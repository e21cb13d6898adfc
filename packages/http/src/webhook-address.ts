/** Where webhooks may go: what is asked and answered must not be read or changed on the way. */

import { ACTIONS } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import type { WebhookEvent } from './webhook-message.ts';

const EVENTS: readonly WebhookEvent[] = ['connect', ...ACTIONS];

/** Throws `USAGE`, never repeating an address. */
export function assertAddresses(
  url: string | Readonly<Partial<Record<WebhookEvent, string>>>,
  events: ReadonlySet<WebhookEvent>,
  isInsecure: boolean,
): void {
  if (events.size === 0) throw new HoldfastError('USAGE', 'webhooks need an event to ask about');
  for (const event of events) {
    if (!EVENTS.includes(event)) {
      const hint = `Events are ${EVENTS.join(', ')}.`;
      throw new HoldfastError('USAGE', `"${String(event).slice(0, 40)}" is no event of webhooks`, { hint });
    }
    assertAddress(event, typeof url === 'string' ? url : url[event], isInsecure);
  }
}

function assertAddress(event: WebhookEvent, text: string | undefined, isInsecure: boolean): void {
  const what = `the address of the webhook "${event}"`;
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new HoldfastError('USAGE', `${what} is none of http or https`);
  if (url.username !== '' || url.password !== '') throw new HoldfastError('USAGE', `${what} holds a password, which it does not need`);
  if (url.protocol === 'https:' || isInsecure || isLoopback(url.hostname)) return;
  throw new HoldfastError('USAGE', `${what} is not encrypted`, { hint: 'Take https, or insecure: true on a network that you trust.' });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
