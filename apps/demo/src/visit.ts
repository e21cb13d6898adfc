/** Who comes, and to which room: the address and what the browser kept. Knows nothing of the client. */

/** Code units of a name. */
export const NAME_LENGTH_MAX = 32;
/** Code units of a room: each takes nine characters of a topic's name at the most, which has 200. */
const ROOM_LENGTH_MAX = 21;

const NAME_KEY = 'holdfast-demo.name';
const GUESTS = ['Ada', 'Bao', 'Chidi', 'Dana', 'Elif', 'Farid'];

export interface Visit {
  readonly room: string;
  /** Missing on the first visit. */
  readonly name: string | undefined;
}

/** A name without what cannot be seen; `undefined` if nothing is left. */
export function cleanName(text: string, lengthMax: number = NAME_LENGTH_MAX): string | undefined {
  const cut = text.replace(/\s+/g, ' ').trim().slice(0, lengthMax);
  // A pair of code units cut in the middle is no character.
  const name = cut.replace(/[\uD800-\uDBFF]$/, '').trim();
  return name === '' ? undefined : name;
}

/** `?room=` and `?as=` of the address; without `as` the name that was chosen last. */
export function readVisit(search: string, storage: Pick<Storage, 'getItem'>): Visit {
  const parameters = new URLSearchParams(search);
  return {
    room: cleanName(parameters.get('room') ?? '', ROOM_LENGTH_MAX) ?? 'lobby',
    name: cleanName(parameters.get('as') ?? '') ?? cleanName(storage.getItem(NAME_KEY) ?? ''),
  };
}

export function keepName(name: string, storage: Pick<Storage, 'setItem'>): void {
  storage.setItem(NAME_KEY, name);
}

/** A room's topic; what a topic name cannot hold is percent-encoded with `=` (PROTOCOL.md HF-1.1). */
export function topicOf(room: string): string {
  const encoded = encodeURIComponent(room).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
  return `chat/${encoded.replaceAll('%', '=')}`;
}

/** Where a second window begins: the same room as somebody who is not here yet. */
export function secondWindow(room: string, here: readonly string[]): string {
  const guest = GUESTS.find((name) => !here.includes(name)) ?? `Guest ${here.length + 1}`;
  return `?${new URLSearchParams({ room, as: guest }).toString()}`;
}
