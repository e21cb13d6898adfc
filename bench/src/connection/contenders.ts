/** Who is measured, in the order of the tables. */

import type { Contender } from './contender.ts';
import { holdfastClient } from './holdfast-client.ts';
import { holdfastConnection, holdfastConnectionConfirmed } from './holdfast-connection.ts';
import { hasChromium, holdfastInChromium } from './holdfast-in-chromium.ts';
import { socketIo, socketIoRetries } from './socket-io.ts';
import { partySocket, reconnectingWebSocket, websocketTs } from './wrappers.ts';

export const CONTENDERS: readonly Contender[] = [
  holdfastClient,
  holdfastConnection,
  holdfastConnectionConfirmed,
  ...(hasChromium() ? [holdfastInChromium] : []),
  partySocket,
  reconnectingWebSocket,
  websocketTs,
  socketIo,
  socketIoRetries,
];
