/**
 * What the AsyncAPI document says of each message beside its schema: what it is for, the clause of PROTOCOL.md that it
 * comes from, what answers it, and an example where PROTOCOL.md has none.
 */

const position = { epoch: 'k2', offset: 118, revision: 4 };
const bob = { subject: 'bob', client: 'phone-1', state: { typing: false }, since: 1767225600000 };

/** By type, in the order of PROTOCOL.md. `answers`: types of the server; where there is none, only an `error` may come. */
export const CLIENT_NOTES = {
  hello: {
    summary: 'The first frame: the name of the client, its token, and what it subscribes to.',
    clause: 'HF-3.1',
    answers: ['welcome', 'subscribed', 'error'],
  },
  auth: {
    summary: 'Replaces the credentials of a live connection.',
    clause: 'HF-3.6',
    answers: ['reply', 'error'],
    example: { type: 'auth', id: 7, token: 'eyJhbGciOi...' },
  },
  subscribe: {
    summary: 'Subscribes to a topic, from a position, from the newest entries, or from the head.',
    clause: 'HF-5.1',
    answers: ['subscribed', 'error'],
    example: { type: 'subscribe', id: 2, topic: 'chat/43', position, credit: 256, presence: true },
  },
  unsubscribe: {
    summary: 'Ends a subscription.',
    clause: 'HF-5.11',
    answers: ['reply'],
    example: { type: 'unsubscribe', id: 3, topic: 'chat/43' },
  },
  publish: {
    summary:
      'Publishes one payload, or several as one, under the next seq of a producer. One payload of bytes travels as the binary frame.',
    clause: 'HF-6.1',
    answers: ['ack', 'error'],
  },
  read: { summary: 'Asks for a page of history.', clause: 'HF-7.3', answers: ['reply', 'error'] },
  signal: {
    summary: 'An ephemeral message to the other subscribers of a topic.',
    clause: 'HF-7.4',
    answers: [],
    example: { type: 'signal', topic: 'chat/42', data: { cursor: [3, 7] } },
  },
  presence: {
    summary: 'Shows the client as a member of a topic, with a state; null leaves.',
    clause: 'HF-7.6',
    answers: ['reply', 'error'],
    example: { type: 'presence', id: 4, topic: 'chat/42', state: { typing: true } },
  },
  register: { summary: 'Writes a register of a topic.', clause: 'HF-7.7', answers: ['reply', 'error'] },
  call: {
    summary: 'Calls a method of the application. Never carried out twice by itself.',
    clause: 'HF-7.9',
    answers: ['reply', 'error'],
    example: { type: 'call', id: 5, method: 'translate', data: { text: 'hello', to: 'fr' } },
  },
  credit: {
    summary: 'Lets the server send entries up to an offset.',
    clause: 'HF-7.1',
    answers: [],
    example: { type: 'credit', topic: 'chat/42', upTo: 512, epoch: 'k2' },
  },
  ping: { summary: 'Asks for a pong.', clause: 'HF-8.1', answers: ['pong'], example: { type: 'ping', id: 9 } },
  pong: { summary: 'Answers a ping, with its id.', clause: 'HF-8.1', answers: [], example: { type: 'pong' } },
};

/** By type, in the order of PROTOCOL.md. */
export const SERVER_NOTES = {
  welcome: { summary: 'Answers the hello: the session, the subject, and the limits.', clause: 'HF-3.4' },
  expiring: {
    summary: 'The credentials end soon: send `auth` with a fresh token.',
    clause: 'HF-3.8',
    example: { type: 'expiring', expiresAt: 1767229200000 },
  },
  subscribed: { summary: 'A subscription stands, and where its stream begins.', clause: 'HF-5.2' },
  entry: { summary: 'One entry of a log, in its place. One that carries bytes travels as the binary frame.', clause: 'HF-5.3' },
  skip: {
    summary: 'These offsets have nothing for this subscriber.',
    clause: 'HF-5.6',
    example: { type: 'skip', topic: 'chat/42', first: 119, last: 120 },
  },
  gap: {
    summary: 'What lies between two positions cannot be had; the stream goes on after the second.',
    clause: 'HF-5.7',
    example: { type: 'gap', topic: 'chat/42', reason: 'retention', before: position, after: { epoch: 'k2', offset: 400, revision: 4 } },
  },
  ack: { summary: 'A publish is stored.', clause: 'HF-6.7' },
  reply: { summary: 'Answers a request with its id.', clause: 'HF-4.4' },
  signal: {
    summary: "Another subscriber's signal.",
    clause: 'HF-7.4',
    example: { type: 'signal', topic: 'chat/42', from: 'bob', client: 'phone-1', data: { cursor: [3, 7] } },
  },
  presence: {
    summary: 'Who is present on a topic: all members once, then each change.',
    clause: 'HF-7.6',
    example: { type: 'presence', topic: 'chat/42', event: 'enter', member: bob },
  },
  register: { summary: 'A register has changed.', clause: 'HF-7.8' },
  error: { summary: 'A refusal of a request, of a frame, or of the connection.', clause: 'HF-10.1' },
  goaway: {
    summary: 'The server closes within seconds; connect anew.',
    clause: 'HF-8.3',
    example: { type: 'goaway', reason: 'the server is shutting down', spreadMs: 2000 },
  },
  ping: { summary: 'Asks for a pong: nothing was sent for a while.', clause: 'HF-8.1', example: { type: 'ping', spreadMs: 2000 } },
  pong: { summary: 'Answers a ping, with its id.', clause: 'HF-8.1', example: { type: 'pong', id: 9 } },
};
