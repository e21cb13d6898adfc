/** What of the sockets is of use outside browsers only. See `socket-browser.ts`. */

export { failureOf } from './socket-failure.ts';
export { wsSocketFactory } from './socket-ws.ts';
