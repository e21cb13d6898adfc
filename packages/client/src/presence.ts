/**
 * Who is on a topic, and being there oneself (PROTOCOL.md HF-7.6). What the client entered with is said again after every
 * reconnection; within the server's grace time the others notice nothing.
 */

import { HoldfastError, type Json, type Member, type PresenceMessage } from '@holdfast/wire';
import { Computed, type Observable } from './observable.ts';
import type { Requests } from './requests.ts';
import type { Subscription } from './subscription.ts';

export class Presence {
  /** While somebody watches, the topic is subscribed with its members. In the order of their coming. */
  readonly members: Observable<readonly Member[]>;
  /** Why they are not shown: the right to see them is missing. The rest of the subscription stands. */
  readonly problem: Observable<HoldfastError | undefined>;
  readonly #subscription: Subscription;
  readonly #requests: Requests;
  readonly #byKey = new Map<string, Member>();
  readonly #computed: Computed<readonly Member[]> = new Computed(() => [...this.#byKey.values()]);
  readonly #refusal: Computed<HoldfastError | undefined> = new Computed(() => this.#refusalNow());
  #isHidden = false;
  #state: Json | undefined;
  #release: (() => void) | undefined;
  #askedCount = 0;
  /** The server has taken the state since the subscription last came to life. */
  #isKnown = false;

  constructor(subscription: Subscription, requests: Requests) {
    this.#subscription = subscription;
    this.#requests = requests;
    this.members = this.#watched(this.#computed);
    this.problem = this.#watched(this.#refusal);
  }

  /** Resolves when the server has it; the state stays entered whether or not that was in time. */
  enter(state: Json): Promise<void> {
    if (state === null) throw new HoldfastError('USAGE', 'enter: the state is not null; leave() leaves');
    this.#state = state;
    this.#isKnown = false;
    this.#release ??= this.#hold();
    return this.#say();
  }

  /** Resolves when the server knows, or at once without a connection: who does not come back leaves by itself. */
  async leave(): Promise<void> {
    const release = this.#release;
    if (release === undefined) return;
    this.#state = undefined;
    this.#release = undefined;
    const { topic, isOnWire } = this.#subscription;
    // A failure means that the connection is gone, and with it the membership.
    if (isOnWire) await this.#requests.ask((id) => ({ type: 'presence', id, topic, state: null }), false).catch(() => {});
    release();
  }

  /** There is a connection, and the subscription is on its way. */
  open(): void {
    if (this.#state === undefined || this.#askedCount > 0) return;
    // The promise of `enter` is settled long since; a refusal leaves the state as it is, for the next subscription.
    this.#say().catch(() => {});
  }

  message(message: PresenceMessage): void {
    if (message.event === 'members') {
      this.#subscription.membersShown();
      this.#hide(false);
      this.#byKey.clear();
      for (const member of message.members) this.#byKey.set(keyOf(member), member);
    } else if (message.event === 'leave') this.#byKey.delete(keyOf(message.member));
    else this.#byKey.set(keyOf(message.member), message.member);
    this.#computed.touch();
  }

  /** The state, for whose listeners the topic is subscribed with its members. */
  #watched<T>(state: Computed<T>): Observable<T> {
    return {
      getSnapshot: state.getSnapshot,
      subscribe: (listener) => {
        const release = this.#subscription.hold(true);
        const unlisten = this.#subscription.listeners.add(() => this.#hide(this.#subscription.areMembersHidden));
        const end = state.subscribe(listener);
        return () => {
          end();
          unlisten();
          release();
        };
      },
    };
  }

  #hide(isHidden: boolean): void {
    if (isHidden === this.#isHidden) return;
    this.#isHidden = isHidden;
    this.#refusal.touch();
    if (!isHidden) return;
    this.#byKey.clear();
    this.#computed.touch();
  }

  #refusalNow(): HoldfastError | undefined {
    const { topic } = this.#subscription;
    return this.#isHidden ? new HoldfastError('FORBIDDEN', `the right to see the members of "${topic}" is missing`) : undefined;
  }

  /** Needs the subscription, and speaks again whenever it comes to life: a membership needs one, and may have been refused for want of it. */
  #hold(): () => void {
    const { listeners } = this.#subscription;
    const release = this.#subscription.hold(false);
    const unlisten = listeners.add(() => {
      if (!this.#subscription.isLive) this.#isKnown = false;
      else if (!this.#isKnown) this.open();
    });
    return () => {
      unlisten();
      release();
    };
  }

  async #say(): Promise<void> {
    const { topic } = this.#subscription;
    this.#askedCount += 1;
    try {
      await this.#requests.ask((id) => ({ type: 'presence', id, topic, state: this.#state ?? null }), true);
      this.#isKnown = true;
    } finally {
      this.#askedCount -= 1;
    }
  }
}

function keyOf({ subject, client }: Member): string {
  // A client's name holds no space; a subject may.
  return `${client} ${subject}`;
}
