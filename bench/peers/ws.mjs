/** A plain broadcast with `ws`: one `send` for each subscriber. See protocols.c for what is said. Prints its port. */

import { WebSocketServer } from 'ws';

const topics = new Map();
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false, clientTracking: false });

server.on('connection', (socket, { url }) => {
  const topic = url.slice(1);
  if (topic !== '') {
    if (!topics.has(topic)) topics.set(topic, new Set());
    topics.get(topic).add(socket);
    socket.on('close', () => topics.get(topic).delete(socket));
  }
  socket.on('message', (data) => {
    const text = /** @type {Buffer} */ (data).toString();
    if (text.startsWith('?')) return socket.send(text);
    for (const subscriber of topics.get(text.slice(0, text.indexOf(' '))) ?? []) subscriber.send(data, { binary: false });
  });
});
server.on('listening', () => process.stdout.write(`${server.address().port}\n`));
