/**
 * One connection's publishes that are not answered, by topic. What the connection sends beside the log after a publish
 * waits for it, whatever time the publish spends in hooks (PROTOCOL.md HF-7.4).
 */

interface Waiting {
  readonly remaining: Set<object>;
  readonly proceed: () => void;
}

interface Unanswered {
  readonly publishes: Set<object>;
  waiting: Waiting[];
}

export class OwnPublishes {
  readonly #topics = new Map<string, Unanswered>();
  #count = 0;

  /** Unanswered in all topics. */
  get count(): number {
    return this.#count;
  }

  /** `publish` is told apart by identity. */
  begin(topic: string, publish: object): void {
    let unanswered = this.#topics.get(topic);
    if (unanswered === undefined) this.#topics.set(topic, (unanswered = { publishes: new Set(), waiting: [] }));
    unanswered.publishes.add(publish);
    this.#count += 1;
  }

  end(topic: string, publish: object): void {
    const unanswered = this.#topics.get(topic);
    if (unanswered === undefined || !unanswered.publishes.delete(publish)) return;
    this.#count -= 1;
    if (unanswered.publishes.size === 0) this.#topics.delete(topic);
    if (unanswered.waiting.length === 0) return;
    for (const { remaining } of unanswered.waiting) remaining.delete(publish);
    const ready = unanswered.waiting.filter(({ remaining }) => remaining.size === 0);
    unanswered.waiting = unanswered.waiting.filter(({ remaining }) => remaining.size > 0);
    for (const { proceed } of ready) proceed();
  }

  /** Resolves when everything begun in the topic until now has ended. */
  async settled(topic: string): Promise<void> {
    const unanswered = this.#topics.get(topic);
    if (unanswered === undefined) return;
    const remaining = new Set(unanswered.publishes);
    await new Promise<void>((proceed) => unanswered.waiting.push({ remaining, proceed }));
  }
}
