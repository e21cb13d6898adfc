/** The names of topics, clients, producers, epochs and register keys (PROTOCOL.md HF-1). */

/** Of topics and register keys, without their lengths. */
export const TOPIC_PATTERN: RegExp = /^[A-Za-z0-9_.:@~+=,-]+(?:\/[A-Za-z0-9_.:@~+=,-]+)*$/;
export const NAME_PATTERN: RegExp = /^[A-Za-z0-9_.~-]{1,64}$/;

/** The longest topic name, characters. */
export const TOPIC_LENGTH_MAX = 200;
/** The longest register key, characters. */
export const KEY_LENGTH_MAX = 128;

/** HF-1.1: segments of safe characters separated by single slashes, 1 to 200 characters. */
export function isTopicName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TOPIC_LENGTH_MAX && TOPIC_PATTERN.test(value);
}

/** HF-1.2: a client, producer or epoch: 1 to 64 safe characters. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && NAME_PATTERN.test(value);
}

/** HF-7.7: a register's key: as a topic's name, 1 to 128 characters. */
export function isRegisterKey(value: unknown): value is string {
  return typeof value === 'string' && value.length <= KEY_LENGTH_MAX && TOPIC_PATTERN.test(value);
}
