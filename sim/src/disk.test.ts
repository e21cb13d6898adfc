import type { Batch, TopicStore } from '@holdfast/server';
import { beforeEach, describe, expect, test } from 'vitest';
import { Disk } from './disk.ts';
import { OutboxDisk } from './outbox-disk.ts';
import { Process } from './process.ts';
import { Chance } from './random.ts';
import { Timeline } from './timeline.ts';
import { Trace } from './trace.ts';

let timeline: Timeline;
let disk: Disk;
let process: Process;
let store: TopicStore;
/** What became durable, and what calls ended with. */
let seen: string[];

const founding: Batch = { found: [{ topic: 't', epoch: 'e' }], publishes: [], registers: [] };

function entry(seq: number): Batch {
  const outcome = { kind: 'accepted', offset: seq, count: 1 } as const;
  return {
    found: [],
    publishes: [{ topic: 't', subject: 's', producer: 'p', seq, digest: 'd', at: 0, outcome, payloads: ['{}'] }],
    registers: [],
  };
}

function watch(what: string, promise: Promise<unknown>): void {
  promise.then(
    () => seen.push(what),
    (error: { code?: string }) => seen.push(`${what}: ${error.code}`),
  );
}

async function run(ms: number = Infinity): Promise<void> {
  await timeline.run(timeline.nowMs + ms, () => false);
}

beforeEach(() => {
  timeline = new Timeline((error) => {
    throw error;
  });
  seen = [];
  const chance = new Chance(1);
  const witness = {
    stored: ({ publishes }: Batch) => void seen.push(`durable ${publishes.map(({ seq }) => seq).join()}`),
    trimmed: () => {},
    removed: () => {},
    wiped: () => {},
    restored: () => void seen.push('restored'),
    notDense: () => void seen.push('not dense'),
  };
  const health = { meanMs: 10, commitFailures: 0, lostAnswers: 0, otherFailures: 0 };
  disk = new Disk({ timeline, chance, trace: new Trace(timeline, undefined), witness, health, outcomesMax: 4 });
  process = new Process('server', timeline, chance, { skewMs: 0 });
  store = disk.open(process);
});

describe('a server’s disk', () => {
  test('calls are carried out in their order, and answered later', async () => {
    watch('founded', store.apply(founding));
    for (let seq = 1; seq <= 20; seq++) watch(String(seq), store.apply(entry(seq)));
    watch(
      'read',
      store.read('t', { after: 0 }, { countMax: 100, bytesMax: 1e6 }).then((page) => expect(page?.entries).toHaveLength(20)),
    );
    await run();
    const numbers = Array.from({ length: 20 }, (_, at) => String(at + 1));
    expect(seen.filter((what) => what.startsWith('durable'))).toEqual(['durable ', ...numbers.map((number) => `durable ${number}`)]);
    expect(seen.filter((what) => numbers.includes(what))).toEqual(numbers);
    expect(seen).toContain('read');
    for (const number of numbers) expect(seen.indexOf(number)).toBeGreaterThan(seen.indexOf(`durable ${number}`));
  });

  test('a process that dies leaves what was carried out, and hears of nothing', async () => {
    const left = new Set<number>();
    for (let round = 1; round <= 40; round++) {
      disk.wipe();
      process = new Process('server', timeline, new Chance(round), { skewMs: 0 });
      store = disk.open(process);
      watch('founded', store.apply(founding));
      for (let seq = 1; seq <= 5; seq++) watch('answered', store.apply(entry(seq)));
      seen = [];
      await run(round);
      process.kill();
      const answered = seen.filter((what) => what === 'answered').length;
      const durable = seen.filter((what) => /^durable \d/.test(what)).length;
      await run();
      expect(disk.topics.get('t')?.entries ?? []).toHaveLength(durable);
      expect(seen.filter((what) => what === 'answered')).toHaveLength(answered);
      left.add(durable - answered);
    }
    // Stored and not answered, as well as answered all.
    expect(left.size).toBeGreaterThan(1);
  });

  test('a commit fails in both ways: nothing was stored, or all of it', async () => {
    watch('founded', store.apply(founding));
    await run();
    Object.assign(disk.health, { commitFailures: 0.5, lostAnswers: 1 });
    const outcomes = new Set<string>();
    for (let round = 0; round < 40; round++) {
      const before = disk.topics.get('t')!.entries.length;
      seen = [];
      watch('commit', store.apply(entry(before + 1)));
      await run();
      outcomes.add(`${seen.at(-1)} ${disk.topics.get('t')!.entries.length - before}`);
    }
    expect(outcomes).toEqual(new Set(['commit: STORE_UNAVAILABLE 0', 'commit: STORE_UNAVAILABLE 1', 'commit: STORE_READ_ONLY 0']));
  });

  test('a copy of it comes back under other epochs, as it was', async () => {
    watch('founded', store.apply(founding));
    watch('first', store.apply(entry(1)));
    await run();
    const backup = disk.backup();
    watch('second', store.apply(entry(2)));
    await run();
    const { epoch } = disk.topics.get('t')!;
    expect(disk.topics.get('t')!.entries).toHaveLength(2);
    disk.restore(backup);
    expect(disk.topics.get('t')!.entries).toHaveLength(1);
    expect(disk.topics.get('t')!.epoch).not.toBe(epoch);
    expect(seen).toContain('restored');
    store = disk.open(process);
    watch('second again', store.apply(entry(2)));
    await run();
    disk.restore(backup);
    // The copy stays as it is.
    expect(disk.topics.get('t')!.entries).toHaveLength(1);
  });

  test('somebody can wait for a stage of the next commit', async () => {
    watch('founded', store.apply(founding));
    await run();
    for (const [stage, storedCount, isAnswered] of [
      ['decided', 0, false],
      ['stored', 1, false],
      ['answered', 1, true],
    ] as const) {
      const before = disk.topics.get('t')!.entries.length;
      seen = [];
      disk.atNextCommit(stage, () => process.kill());
      watch('commit', store.apply(entry(before + 1)));
      await run();
      expect([stage, disk.topics.get('t')!.entries.length - before, seen.includes('commit')]).toEqual([stage, storedCount, isAnswered]);
      process = new Process('server', timeline, new Chance(2), { skewMs: 0 });
      store = disk.open(process);
    }
  });

  test('a batch that is not dense is told on', async () => {
    watch('founded', store.apply(founding));
    watch('commit', store.apply(entry(2)));
    await run();
    expect(seen).toContain('not dense');
  });
});

describe('an outbox’s disk', () => {
  const row = (id: number): { rows: { id: number; topic: string; items: string[]; at: number }[] } => ({
    rows: [{ id, topic: 't', items: ['x'], at: 0 }],
  });

  test('what was carried out is there for the next process; what was not never was', async () => {
    const chance = new Chance(2);
    const trace = new Trace(timeline, undefined);
    const durable: number[] = [];
    const outbox = new OutboxDisk({
      timeline,
      chance,
      trace,
      health: { meanMs: 10, failures: 0.3 },
      onDurable: ({ rows = [] }) => durable.push(rows[0]!.id),
    });
    let id = 0;
    for (let round = 0; round < 20; round++) {
      process = new Process('device', timeline, chance, { skewMs: 0 });
      const opened = outbox.open(process);
      let loaded: readonly number[] = [];
      void opened.load().then(({ rows }) => (loaded = rows.map((row) => row.id)));
      await run(1_000);
      expect(loaded).toEqual(durable);
      for (let n = 0; n < 3; n++) watch('put', opened.apply(row(++id)));
      await run(chance.between(0, 40));
      process.kill();
      outbox.released(process);
      await run();
    }
    expect(durable.length).toBeGreaterThan(10);
    expect(durable.length).toBeLessThan(id);
  });

  test('a live process beside it takes over what a dead one has left; a copy is another disk', async () => {
    const options = { timeline, chance: new Chance(3), trace: new Trace(timeline, undefined), health: { meanMs: 1, failures: 0 } };
    const outbox = new OutboxDisk({ ...options, onDurable: () => {} });
    const [one, other] = ['one', 'other'].map((name) => new Process(name, timeline, new Chance(4), { skewMs: 0 })) as [Process, Process];
    const [first, second] = [outbox.open(one), outbox.open(other)];
    const adopted: number[][] = [];
    void first.load();
    void second
      .load()
      .then(() => second.watch!({ reserveIds: () => 70, adopted: ({ rows }) => void adopted.push(rows.map(({ id }) => id)) }));
    await run(100);
    watch('put', first.apply({ rows: [...row(1).rows, ...row(2).rows] }));
    await run(100);
    const copied: number[] = [];
    const copy = await outbox.copy({ ...options, onDurable: () => {} }, ({ rows }) => copied.push(rows.length));
    expect(adopted).toEqual([]);
    one.kill();
    outbox.released(one);
    await run(100);
    expect(adopted).toEqual([[70, 71]]);
    expect(new Set(copied)).toEqual(new Set([0, 2]));
    const third = new Process('third', timeline, new Chance(5), { skewMs: 0 });
    let loaded: readonly number[] = [];
    void copy
      .open(third)
      .load()
      .then(({ rows }) => (loaded = rows.map(({ id }) => id)));
    await run(100);
    expect(loaded).toHaveLength(2);
  });
});
