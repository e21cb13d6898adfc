/** Updates over HTTP/1.1 in three ways: `/poll`, `/long` (polling) and `/sse`. See http.c for what is said. Prints its port. */

import { createServer } from 'node:http';

const updates = [];
const events = new Set();
let waiting = [];

function answer(response, after) {
  const lines = updates.slice(after).map((update) => `data: ${update}\n`);
  const body = `${lines.join('')}next: ${updates.length}\n`;
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body), 'Cache-Control': 'no-store' });
  response.end(body);
}

function publish(update) {
  updates.push(update);
  for (const response of events) response.write(`data: ${update}\n\n`);
  const answered = waiting;
  waiting = [];
  for (const { response, after } of answered) answer(response, after);
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  const after = Number(searchParams.get('after'));
  if (request.method === 'POST') {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (text) => (body += text));
    request.on('end', () => {
      publish(body);
      response.writeHead(204).end();
    });
  } else if (pathname === '/at') answer(response, updates.length);
  else if (pathname === '/poll') answer(response, after);
  else if (pathname === '/long' && after < updates.length) answer(response, after);
  else if (pathname === '/long') waiting.push({ response, after });
  else {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write(': ready\n\n');
    events.add(response);
    response.on('close', () => events.delete(response));
  }
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
