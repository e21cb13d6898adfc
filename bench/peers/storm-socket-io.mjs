/** Socket.IO with connection state recovery at its defaults, WebSocket only; a topic is a room. See protocols.c for its events. Prints its port. */

import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { gauge } from './gauge.mjs';

const http = createServer();
const io = new Server(http, { transports: ['websocket'], serveClient: false, connectionStateRecovery: {} });

io.on('connection', (socket) => {
  socket.on('sub', (topic, done) => {
    void socket.join(topic);
    done();
  });
  socket.on('pub', (topic, payload, done) => {
    io.to(topic).emit('m', topic, payload);
    done?.();
  });
});
gauge();
http.listen(0, '127.0.0.1', () => process.stdout.write(`${http.address().port}\n`));
