import { HoldfastError } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Stage } from './stage.testing.ts';
import { Speaker } from './speaker.ts';

let stage: Stage;
let speaker: Speaker;

beforeEach(() => {
  stage = new Stage();
  speaker = new Speaker(stage.hub.services.intake, 'voice', stage.hub.services.limits);
});

const alice = { subject: 'alice' };
const allow = (): undefined => undefined;

/** Offsets and codes, in the order of the calls. */
async function outcomes(publishes: readonly Promise<{ readonly offset: number }>[]): Promise<(number | string)[]> {
  const settled = Promise.allSettled(publishes);
  await stage.clock.settle();
  return (await settled).map((result) => (result.status === 'fulfilled' ? result.value.offset : (result.reason as HoldfastError).code));
}

function producers(topic = 't'): string[] {
  return stage.disk.topics.get(topic)!.entries.map(({ producer, seq }) => `${producer}:${seq}`);
}

describe('a producer inside the server', () => {
  test('one for each topic and subject', async () => {
    const publish = (topic: string, subject: string): Promise<{ readonly offset: number }> =>
      speaker.publish(topic, { subject }, 'x', allow);
    await outcomes([publish('t', 'a'), publish('t', 'b'), publish('u', 'a')]);
    await outcomes([publish('t', 'a')]);
    expect(producers().sort()).toEqual(['voice.0:1', 'voice.0:2', 'voice.1:1']);
    expect(producers('u')).toEqual(['voice.2:1']);
  });

  test('a terminal refusal spends its seq, and the next goes on (HF-6.4)', async () => {
    const refuse = (): never => {
      throw new HoldfastError('REFUSED');
    };
    expect(await outcomes([speaker.publish('t', alice, 1, refuse), speaker.publish('t', alice, 2, allow)])).toEqual(['REFUSED', 1]);
    expect(producers()).toEqual(['voice.0:2']);
  });

  test('a retryable refusal stops what is under way, and the next call begins anew (HF-6.6)', async () => {
    const fail = (): never => {
      throw new HoldfastError('OVERLOADED');
    };
    expect(await outcomes([speaker.publish('t', alice, 1, fail), speaker.publish('t', alice, 2, allow)])).toEqual([
      'OVERLOADED',
      'PIPELINE_STOPPED',
    ]);
    expect(await outcomes([speaker.publish('t', alice, 3, allow), speaker.publish('t', alice, 4, allow)])).toEqual([1, 2]);
    expect(producers()).toEqual(['voice.1:1', 'voice.1:2']);
  });

  test('what is under way when the log begins anew is stored there once, in order', async () => {
    await outcomes([speaker.publish('t', alice, 1, allow)]);
    const gate = stage.store.hold('remove', 'after');
    const removing = stage.hub.deleteTopic('t');
    await stage.clock.settle();
    const publishes = [2, 3, 4].map((data) => speaker.publish('t', alice, data, allow));
    gate.pass();
    expect(await outcomes(publishes)).toEqual([1, 2, 3]);
    await removing;
    expect(stage.disk.topics.get('t')!.entries.map(({ payload }) => payload)).toEqual(['2', '3', '4']);
  });

  test('forgets the oldest of ten thousand, but none that waits', async () => {
    const gate = stage.store.hold('apply');
    const waiting = speaker.publish('first', alice, 1, allow);
    await stage.clock.settle();
    const many = Array.from({ length: 10_000 }, (_, at) => speaker.publish(`t/${at}`, alice, 1, allow));
    gate.pass();
    await outcomes([waiting, ...many]);
    await outcomes([
      speaker.publish('one more', alice, 1, allow),
      speaker.publish('first', alice, 2, allow),
      speaker.publish('t/5', alice, 2, allow),
    ]);
    expect(producers('first').map((name) => name.split(':')[1])).toEqual(['1', '1']);
    expect(producers('t/5').map((name) => name.split(':')[1])).toEqual(['1', '2']);
  });
});
