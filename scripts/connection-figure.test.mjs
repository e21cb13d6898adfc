import { describe, expect, it } from 'vitest';
import { arrowsOf, figureOf } from './connection-figure.mjs';

const edge = (from, event, to) => ({ from, event, to });
const each = (states, event, to) => states.map((from) => edge(from, event, to));

describe('arrowsOf', () => {
  it('says once what all states of a group do, and once where it leads to all of a group', () => {
    const connected = ['open', 'probing', 'suspect', 'leaving'];
    const edges = [...each(connected, 'lost', 'waiting'), ...each(connected, 'lost', 'offline'), ...each(connected, 'lost', 'closed')];
    expect(arrowsOf(edges)).toEqual([
      ['a connection', 'a wait', ['lost']],
      ['a connection', 'closed', ['lost']],
    ]);
  });

  it('keeps what only some do, and what happens within a group', () => {
    const edges = [edge('greeting', 'welcomed', 'open'), edge('open', 'timer', 'probing'), edge('open', 'wake', 'probing')];
    expect(arrowsOf(edges)).toEqual([
      ['greeting', 'open', ['welcomed']],
      ['open', 'probing', ['timer', 'wake']],
    ]);
  });

  it('leaves out what changes no state, and what every state does', () => {
    expect(arrowsOf([edge('open', 'spread', 'open'), edge('open', 'close', 'ended'), edge('open', 'pause', 'paused')])).toEqual([]);
  });
});

it('fails where it bends an arrow that the table does not have', () => {
  expect(() => figureOf([edge('idle', 'start', 'authorizing')])).toThrow('no arrow open>probing');
});
