/** Fan-out: publishers into topics with subscribers, as fast as a window of messages under way allows, or at a pace. */

import {
  counted,
  deliverySample,
  DELIVERY_METRICS,
  GENERATOR,
  P50,
  P99,
  PER_SECOND,
  scaled,
  SERVER,
  type Run,
  type Sample,
  type Scenario,
} from './scenario.ts';

const SUBSCRIBERS = 0;
const PUBLISHERS = 1;

interface Room {
  readonly topics?: number;
  readonly subscribers: number;
  readonly publishers: number;
  /** Messages under way for each publisher. */
  readonly window: number;
  /** Per second, of all publishers; default: as fast as the window allows. */
  readonly rate?: number;
}

async function fill({ contender, load, plan }: Run, room: Room): Promise<void> {
  const topics = scaled(room.topics ?? 1, plan);
  await load.open(SUBSCRIBERS, { role: 'sub', count: Math.max(topics, scaled(room.subscribers, plan)), topics, ...contender.subscriber });
  await load.open(PUBLISHERS, { role: 'pub', count: scaled(room.publishers, plan), topics });
}

async function measureRoom(run: Run, room: Room): Promise<Sample> {
  await fill(run, room);
  await run.load.send(PUBLISHERS, { window: room.window, ...(room.rate === undefined ? {} : { rate: room.rate }) });
  const sample = deliverySample(await counted(run.load, run.plan), SUBSCRIBERS);
  await run.load.stop();
  await run.load.complete(SUBSCRIBERS);
  return sample;
}

const ROOM: Room = { subscribers: 500, publishers: 100, window: 4 };

/** Saturates the room first, then measures at half of what it took, at fixed times. */
async function measureHalf(run: Run): Promise<Sample> {
  const { load, plan } = run;
  await fill(run, ROOM);
  const subscribers = scaled(ROOM.subscribers, plan);
  await load.send(PUBLISHERS, { window: ROOM.window });
  const full = deliverySample(await counted(load, { ...plan, ms: plan.ms / 2 }), SUBSCRIBERS);
  await load.stop();
  await load.complete(SUBSCRIBERS);
  const rate = full['perSecond']! / 2 / subscribers;
  await load.send(PUBLISHERS, { window: 64, rate });
  const half = deliverySample(await counted(load, plan), SUBSCRIBERS);
  await load.stop();
  await load.complete(SUBSCRIBERS);
  return { saturated: full['perSecond']!, ...half };
}

function room(name: string, title: string, options: Room): Scenario {
  return { name, title, needs: 'broadcast', metrics: DELIVERY_METRICS, run: (run) => measureRoom(run, options) };
}

export const ROOMS: readonly Scenario[] = [
  room('fan-out-1000', 'One publisher to 1,000 subscribers, one message at a time', { subscribers: 1_000, publishers: 1, window: 1 }),
  room('fan-out-1000-x16', 'One publisher to 1,000 subscribers, 16 messages under way', { subscribers: 1_000, publishers: 1, window: 16 }),
  room('fan-out-5000', 'One publisher to 5,000 subscribers, one message at a time', { subscribers: 5_000, publishers: 1, window: 1 }),
  room('fan-out-5000-x16', 'One publisher to 5,000 subscribers, 16 messages under way', { subscribers: 5_000, publishers: 1, window: 16 }),
  room('room-saturated', '100 publishers in a room of 500, each as fast as four messages under way allow', ROOM),
  room('room-paced', '100 publishers, 50 messages a second each, in a room of 500: 2.5 million deliveries a second offered', {
    ...ROOM,
    window: 64,
    rate: 5_000,
  }),
  {
    ...room('room-calm', '100 publishers, 10 messages a second each, in a room of 500: half a million deliveries a second offered', {
      ...ROOM,
      window: 64,
      rate: 1_000,
    }),
    metrics: [SERVER, PER_SECOND, P50, P99, GENERATOR],
  },
  room('topics', '16 publishers over 1,000 topics of five subscribers, 16 messages under way each', {
    topics: 1_000,
    subscribers: 5_000,
    publishers: 16,
    window: 16,
  }),
  {
    name: 'latency',
    title: '100 publishers in a room of 500, at half of what the same server delivered at most a moment before',
    needs: 'broadcast',
    metrics: [{ name: 'saturated', title: 'at most', unit: '/s' }, PER_SECOND, P50, P99, DELIVERY_METRICS[0]!],
    run: measureHalf,
  },
];
