/** One person in one room: the client, its topic, the plug between it and the server. What the page shows are observables of this. */

import {
  createClient,
  createIndexedDbOutbox,
  createMemoryOutbox,
  webSocketFactory,
  type Client,
  type ClientStatus,
  type Observable,
  type OutboxRow,
  type OutboxStore,
  type Topic,
  type ViewState,
} from '@holdfast/client';
import { Cell } from './cell.ts';
import { Plug } from './plug.ts';
import { textOf } from './stream.ts';
import { isTypingSignal, TypingNotice, Typists } from './typing.ts';
import { topicOf } from './visit.ts';

/** A message that was not taken. */
export interface Refusal {
  readonly text: string;
  /** A sentence of the server's or the client's. */
  readonly reason: string;
}

export interface Session {
  readonly room: string;
  readonly name: string;
  readonly status: Observable<ClientStatus>;
  readonly view: Observable<ViewState>;
  readonly rows: Observable<readonly OutboxRow[]>;
  readonly members: Topic['members'];
  readonly typists: Observable<readonly string[]>;
  readonly isPulled: Observable<boolean>;
  /** How often an open connection was lost and came back. */
  readonly cutCount: Observable<number>;
  /** The last message that was not taken, until the next is sent. */
  readonly refusal: Cell<Refusal | undefined>;
  send(text: string): void;
  /** The draft changed. */
  drafted(isEmpty: boolean): void;
  loadOlder(): Promise<void>;
  pull(): void;
  putBack(): void;
  retryNow(): void;
  sendAgain(rowId: number): void;
  discard(rowId: number): void;
  close(): Promise<void>;
}

/** Rejections that are no refusals: the row stays and is shown, or whoever discarded it knows. */
const SHOWN_ELSEWHERE: ReadonlySet<string> = new Set(['UNCERTAIN', 'PENDING', 'ABORTED', 'CLOSED']);

const PULLED_KEY = 'holdfast-demo.pulled';
/** Entries that are there at once; older ones come by scrolling. */
const LAST = 40;

export function openSession(name: string, room: string): Session {
  // A reload finds the plug as it was left.
  const plug = new Plug(webSocketFactory(undefined), sessionStorage.getItem(PULLED_KEY) !== null);
  const client = createClient({ url: serverUrl(), token: name, store: outboxOf(name), socket: plug.socket });
  const topic = client.topic(topicOf(room));
  const view = topic.view({ last: LAST });
  const typists = new Typists();
  const notice = new TypingNotice((signal) => topic.signal({ ...signal }));
  const refusal = new Cell<Refusal | undefined>(undefined);
  const cutCount = new Cell(0);
  const settle = (publish: Promise<unknown>, text: string): void => {
    publish.catch((error: Error & { readonly code?: string }) => {
      if (!SHOWN_ELSEWHERE.has(error.code ?? '')) refusal.set({ text, reason: error.message });
    });
  };

  topic.onSignal(({ from, data }) => {
    if (isTypingSignal(data)) typists.heard(from, data);
  });
  // Who is there is said again by the client after every cut; a first refusal shows in the status.
  topic.enter({}).catch(() => {});
  watchCuts(client, {
    onCut: () => typists.clear(),
    onReturn: () => cutCount.set(cutCount.getSnapshot() + 1),
  });

  return {
    room,
    name,
    status: client.status,
    view,
    rows: client.outbox,
    members: topic.members,
    typists: typists.names,
    isPulled: plug.isPulled,
    cutCount,
    refusal,
    send: (text) => {
      refusal.set(undefined);
      notice.stopped();
      settle(topic.publish({ text }), text);
    },
    drafted: (isEmpty) => notice.changed(isEmpty, Date.now()),
    // A cut in between shows in the status; the next scroll asks again.
    loadOlder: () => view.loadOlder().catch(() => {}),
    pull: () => {
      sessionStorage.setItem(PULLED_KEY, 'yes');
      plug.pull();
    },
    putBack: () => {
      sessionStorage.removeItem(PULLED_KEY);
      plug.putBack();
      client.retryNow();
    },
    retryNow: () => client.retryNow(),
    sendAgain: (rowId) => settle(client.republish(rowId), textOf(client.outbox.getSnapshot().find(({ id }) => id === rowId)?.items[0])),
    discard: (rowId) => void client.discard(rowId),
    close: () => client.close(),
  };
}

/**
 * What waits survives a reload. Each name has an outbox of its own, so that a window never takes over what another person
 * left behind. A page over plain HTTP from another machine may have none.
 */
function outboxOf(name: string): OutboxStore {
  return isSecureContext ? createIndexedDbOutbox({ name: `holdfast-demo ${name}` }) : createMemoryOutbox();
}

/** The server that the page came from. */
function serverUrl(): string {
  const url = new URL('/', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

function watchCuts({ status }: Client, { onCut, onReturn }: { readonly onCut: () => void; readonly onReturn: () => void }): void {
  let state: 'new' | 'open' | 'cut' = 'new';
  status.subscribe(() => {
    const isOpen = status.getSnapshot().phase === 'open';
    if (isOpen && state === 'cut') onReturn();
    if (!isOpen && state === 'open') onCut();
    if (isOpen) state = 'open';
    else if (state === 'open') state = 'cut';
  });
}
