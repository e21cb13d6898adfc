import type { ClientSocket, SocketEnd, SocketEvents } from '@holdfast/client';
import { describe, expect, it } from 'vitest';
import { Plug } from './plug.ts';

interface Opened {
  readonly events: SocketEvents;
  isAbandoned: boolean;
}

/** A plug over sockets that do what they are told, and what its user heard. */
function world(isPulled = false): {
  readonly plug: Plug;
  readonly opened: Opened[];
  readonly heard: string[];
  readonly open: () => ClientSocket;
} {
  const opened: Opened[] = [];
  const heard: string[] = [];
  const plug = new Plug((_url, _protocols, events) => {
    const socket = { events, isAbandoned: false };
    opened.push(socket);
    return {
      bufferedBytes: 0,
      send: () => {},
      pause: () => false,
      resume: () => {},
      close: () => {},
      abandon: () => (socket.isAbandoned = true),
    };
  }, isPulled);
  const events = {
    onOpen: () => heard.push('open'),
    onMessage: () => heard.push('message'),
    onClose: ({ code }: SocketEnd) => heard.push(`close ${code}`),
  };
  return { plug, opened, heard, open: () => plug.socket('ws://x', { protocols: [] }, events) };
}

describe('Plug', () => {
  it('passes everything on while it is in', () => {
    const { opened, heard, open } = world();
    open();
    const [{ events }] = opened as [Opened];
    events.onOpen('');
    events.onMessage('hello');
    events.onClose({ code: 4200, reason: 'bye', clean: true });
    expect(heard).toEqual(['open', 'message', 'close 4200']);
  });

  it('cuts the socket when it is pulled, once, and lets no other one open', async () => {
    const { plug, opened, heard, open } = world();
    open();
    plug.pull();
    plug.pull();
    opened[0]!.events.onClose({ code: 1000, reason: 'late', clean: true });
    expect([opened[0]!.isAbandoned, heard]).toEqual([true, ['close 1006']]);

    open();
    expect(heard).toHaveLength(1);
    await Promise.resolve();
    expect([opened.length, heard]).toEqual([1, ['close 1006', 'close 1006']]);

    open().abandon();
    await Promise.resolve();
    expect(heard).toHaveLength(2);
  });

  it('is silent about sockets that are over already', () => {
    const { plug, opened, heard, open } = world();
    open();
    opened[0]!.events.onClose({ code: 1006, reason: '', clean: false });
    open().abandon();
    plug.pull();
    expect(heard).toEqual(['close 1006']);
  });

  it('connects again when it is back, however it began', () => {
    const { plug, opened, open } = world(true);
    open();
    expect([opened.length, plug.isPulled.getSnapshot()]).toEqual([0, true]);
    plug.putBack();
    open();
    expect([opened.length, plug.isPulled.getSnapshot()]).toEqual([1, false]);
  });
});
