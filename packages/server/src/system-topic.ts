/** The topics in which a server keeps its own affairs, such as revocations: no endpoint shows them to a client. */

/** What their names begin with. */
export const SYSTEM_PREFIX = 'holdfast/';

/** Whether a topic is the server's own. */
export function isSystemTopic(topic: string): boolean {
  return topic.startsWith(SYSTEM_PREFIX);
}
