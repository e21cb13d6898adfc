/**
 * The TCP connections of the clients, such that they can be cut at any byte: each is a stream around a socket, which on
 * demand passes only a part of what is under way and then loses the connection. The client sees what a tunnel shows it.
 */

import { connect, type Socket as TcpSocket } from 'node:net';
import { Duplex } from 'node:stream';
import { webSocketFactory, type SocketFactory } from '@holdfast/client';
import { WebSocket } from 'ws';
import { pick } from './chance.ts';

/** Where a cut falls: between frames, within what the client sends next, or within what it receives next. */
export type CutPlace = 'between' | 'sending' | 'receiving';

export const CUT_PLACES: readonly CutPlace[] = ['between', 'sending', 'receiving'];

/** A link on which nothing moves any more is cut all the same after so long, ms. */
const PATIENCE_MS = 1_000;

type Done = (error?: Error | null) => void;

class Link extends Duplex {
  readonly owner: string;
  readonly #socket: TcpSocket;
  readonly #part: () => number;
  #armed: CutPlace | undefined;
  #onCut: ((place: CutPlace) => void) | undefined;
  #isOpen = false;

  constructor(owner: string, socket: TcpSocket, part: () => number) {
    super();
    this.owner = owner;
    this.#socket = socket;
    this.#part = part;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** Whether the server has answered on it, and nothing is to happen to it yet. */
  get isCuttable(): boolean {
    return this.#isOpen && !this.destroyed && this.#armed === undefined;
  }

  /** Cuts it now, or when the next bytes move; says then where it really fell. */
  cut(place: CutPlace, onCut: (place: CutPlace) => void): void {
    this.#onCut = onCut;
    this.#armed = place;
    if (place === 'between') return this.#sever('between');
    setTimeout(() => this.#sever('between'), PATIENCE_MS).unref();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#transmit(chunk, done);
  }

  override _writev(chunks: { readonly chunk: Buffer }[], done: Done): void {
    this.#transmit(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: Done): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy();
    // A cut that was still to come has been overtaken by another end: it fell between frames.
    this.#say('between');
    done(error);
  }

  #transmit(chunk: Buffer, done: Done): void {
    if (this.#armed !== 'sending') {
      this.#socket.write(chunk, done);
      return;
    }
    // The part must leave this machine before the end of the connection does.
    this.#socket.write(chunk.subarray(0, this.#cutAt(chunk)), () => this.#sever('sending'));
    done();
  }

  #receive(chunk: Buffer): void {
    this.#isOpen = true;
    if (this.#armed === 'receiving') {
      this.push(chunk.subarray(0, this.#cutAt(chunk)));
      // What was passed on is to be read before the end is seen.
      setImmediate(() => this.#sever('receiving'));
      this.#socket.pause();
    } else if (!this.push(chunk)) this.#socket.pause();
  }

  /** Not nothing and not all of it, where it has two bytes. */
  #cutAt(chunk: Buffer): number {
    return Math.max(1, Math.min(chunk.length - 1, Math.floor(this.#part() * chunk.length)));
  }

  #sever(place: CutPlace): void {
    if (this.destroyed) return;
    this.#say(place);
    this.#socket.resetAndDestroy();
    this.destroy();
  }

  #say(place: CutPlace): void {
    this.#onCut?.(place);
    this.#onCut = undefined;
  }
}

/** The links that there are, by owner. */
export class Links {
  readonly #random: () => number;
  readonly #links = new Set<Link>();

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Makes the sockets of one client. */
  factory(owner: string): SocketFactory {
    const open = (port: number, host: string): Link => this.#open(owner, port, host);
    return webSocketFactory(
      class extends WebSocket {
        constructor(url: string, protocols?: string[]) {
          const { port, hostname } = new URL(url);
          super(url, protocols, { createConnection: (() => open(Number(port), hostname)) as never, perMessageDeflate: false });
        }
      },
    );
  }

  /** Cuts a link by chance; within a frame, or half of the time, one of those that are busy. Says whether there was one to cut. */
  cutOne(isBusy: (owner: string) => boolean, place: CutPlace, onCut: (place: CutPlace) => void): boolean {
    const cuttable = [...this.#links].filter((link) => link.isCuttable);
    const busy = place !== 'between' || this.#random() < 0.5 ? cuttable.filter(({ owner }) => isBusy(owner)) : [];
    const candidates = busy.length > 0 ? busy : cuttable;
    if (candidates.length === 0) return false;
    pick(this.#random, candidates).cut(place, onCut);
    return true;
  }

  #open(owner: string, port: number, host: string): Link {
    const link = new Link(owner, connect(port, host), this.#random);
    this.#links.add(link);
    link.once('close', () => this.#links.delete(link));
    return link;
  }
}
