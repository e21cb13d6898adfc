/**
 * The plain handler of `holdfast serve`: a chat for any WebSocket client, with nothing to learn (PROTOCOL.md HF-13.4).
 *
 *   {"type":"join","conversationId":"42"}
 *   {"type":"message","conversationId":"42","text":"hello","timestamp":1767225600000}
 *
 * It knows what every application's handler can know: the client and its frames.
 */

import type { PlainClient, PlainHandler, PlainItem } from '@holdfast/server';
import { encodeBase64, HoldfastError, isJsonObject, isTopicName, type Json } from '@holdfast/wire';

/** Joins and messages of the topics `chat/<conversationId>`. A client's own messages come back too: that is their receipt. */
export const chatHandler: PlainHandler = {
  messages: {
    join: async (message, client) => {
      await follow(conversationOf(message), client);
    },
    message: async (message, client) => {
      const { conversationId, topic } = conversationOf(message);
      if (typeof message['text'] !== 'string') throw new HoldfastError('BAD_FRAME', '"text": want a string');
      // First, so that the message is not yet there and comes back in its place.
      await follow({ conversationId, topic }, client);
      await client.publish(topic, message);
    },
  },
};

interface Conversation {
  readonly conversationId: string | number;
  readonly topic: string;
}

function conversationOf({ conversationId }: { readonly [key: string]: Json }): Conversation {
  if (typeof conversationId !== 'string' && typeof conversationId !== 'number')
    throw new HoldfastError('BAD_FRAME', '"conversationId": want a string or a number');
  const topic = `chat/${conversationId}`;
  if (!isTopicName(topic)) throw new HoldfastError('BAD_FRAME', '"conversationId": want letters, digits and _ . : @ ~ + = , - (HF-1.1)');
  return { conversationId, topic };
}

function follow({ conversationId, topic }: Conversation, client: PlainClient): Promise<void> {
  return client.follow(topic, {}, (item) => client.send(messageOf(item, conversationId)));
}

/** An entry as the object that was published; what others published in another shape is told as such. */
function messageOf(item: PlainItem, conversationId: string | number): Json {
  if (item.type === 'gap') return { type: 'gap', conversationId, reason: item.reason };
  const { data, from, offset } = item;
  if (data instanceof Uint8Array) return { type: 'bytes', conversationId, bytes: encodeBase64(data), from, offset };
  if (!isJsonObject(data)) return { type: 'data', conversationId, data, from, offset };
  return { ...data, from, offset };
}
