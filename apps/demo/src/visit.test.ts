import { expect, it } from 'vitest';
import { cleanName, readVisit, secondWindow, topicOf } from './visit.ts';

/** HF-1.1. */
const TOPIC = /^[A-Za-z0-9_.:@~+=,-]+(?:\/[A-Za-z0-9_.:@~+=,-]+)*$/;

it('reads the room and the name, the address before what was kept', () => {
  const kept = { getItem: () => 'Ada' };
  expect(readVisit('', { getItem: () => null })).toEqual({ room: 'lobby', name: undefined });
  expect(readVisit('?room=engine%20room', kept)).toEqual({ room: 'engine room', name: 'Ada' });
  expect(readVisit('?room=%20&as=Ben', kept)).toEqual({ room: 'lobby', name: 'Ben' });
});

it('makes a topic of every room, and different ones of different rooms', () => {
  const rooms = ['lobby', 'engine room', 'a/b', 'a=2Fb', "it's (here)!*", 'قارب', '🦑', '..'];
  const topics = rooms.map(topicOf);
  expect(topics.filter((topic) => !TOPIC.test(topic))).toEqual([]);
  expect(new Set(topics).size).toBe(rooms.length);
  const { room } = readVisit(`?room=${'船'.repeat(40)}`, { getItem: () => null });
  expect(topicOf(room).length).toBeLessThanOrEqual(200);
  expect(topics.slice(0, 2)).toEqual(['chat/lobby', 'chat/engine=20room']);
});

it('cuts names between characters, not within', () => {
  expect(cleanName(' \n ')).toBeUndefined();
  expect(cleanName(`${'x'.repeat(31)}🦑`)).toBe('x'.repeat(31));
});

it('invites somebody who is not here', () => {
  expect(secondWindow('a b', ['Ada', 'Bao'])).toBe('?room=a+b&as=Chidi');
  expect(secondWindow('x', ['Ada', 'Bao', 'Chidi', 'Dana', 'Elif', 'Farid'])).toBe('?room=x&as=Guest+7');
});
