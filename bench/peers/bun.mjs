/** Bun's own WebSocket server and its `publish`. See protocols.c for what is said. Run by Bun; prints its port. */

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, bun) {
    const topic = new URL(request.url).pathname.slice(1);
    return bun.upgrade(request, { data: topic }) ? undefined : new Response('no WebSocket', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    // What is slow is to be held, as the others do.
    backpressureLimit: 1 << 30,
    open(socket) {
      if (socket.data !== '') socket.subscribe(socket.data);
    },
    message(socket, text) {
      if (text.startsWith('?')) socket.send(text);
      else server.publish(text.slice(0, text.indexOf(' ')), text);
    },
  },
});
console.log(server.port);
