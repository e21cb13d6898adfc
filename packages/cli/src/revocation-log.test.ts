import { createRevocations, type Revocation, type Revocations } from '@holdfast/auth';
import { createHub, createMemoryDisk, createMemoryStore, type Hub, type MemoryDisk } from '@holdfast/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openRevocationLog, REVOCATION_TOPIC, type RevocationLog, type RevocationLogOptions } from './revocation-log.ts';

interface Opened {
  readonly hub: Hub;
  readonly log: RevocationLog;
  readonly revocations: Revocations;
  readonly errors: unknown[];
}

async function open(disk: MemoryDisk, options: Partial<RevocationLogOptions> = {}): Promise<Opened> {
  const hub = createHub({ store: createMemoryStore({ disk }), maintainIntervalMs: 0 });
  onTestFinished(() => hub.close());
  const [revocations, errors] = [createRevocations(), [] as unknown[]];
  const log = await openRevocationLog({ hub, revocations, onError: (error) => errors.push(error), ...options });
  onTestFinished(() => log.close());
  return { hub, log, revocations, errors };
}

async function lengthOf(hub: Hub): Promise<number> {
  const { first, last } = (await hub.actor({ subject: 'server' }).read(REVOCATION_TOPIC, { after: 0 })) as { first: number; last: number };
  return last - first + 1;
}

describe('the log of revocations', () => {
  test('knows after a restart what was revoked and what was given back', async () => {
    const disk = createMemoryDisk();
    const { log } = await open(disk);
    await log.revoke({ subject: 'alice' });
    await log.revoke({ credentialId: 'phone' });
    await log.revoke({ subject: 'alice', untilMs: 0 });
    const { revocations } = await open(disk);
    expect(revocations.list()).toEqual([{ credentialId: 'phone' }]);
  });

  test('counts before it is stored, and tells whoever asked when it could not be', async () => {
    const { log, revocations, hub } = await open(createMemoryDisk());
    const revoking = log.revoke({ subject: 'alice' });
    expect(revocations.isRevoked({ subject: 'alice' })).toBe(true);
    await revoking;
    await hub.close();
    await expect(log.revoke({ subject: 'bob' })).rejects.toMatchObject({ retryable: true });
    expect(revocations.isRevoked({ subject: 'bob' })).toBe(true);
  });

  test('closes connections for records that came from elsewhere, and leaves its own to who asked', async () => {
    const events: object[] = [];
    const hub = createHub({ store: createMemoryStore(), maintainIntervalMs: 0, onEvent: (event) => events.push(event) });
    onTestFinished(() => hub.close());
    const revocations = createRevocations();
    const log = await openRevocationLog({ hub, revocations, onError: () => undefined });
    onTestFinished(() => log.close());
    await log.revoke({ subject: 'alice' });
    expect(events).toEqual([]);
    await hub.publish(REVOCATION_TOPIC, { subject: 'bob' });
    await hub.publish(REVOCATION_TOPIC, { subject: 'bob', untilMs: 0 });
    expect(events).toEqual([{ type: 'disconnected', subject: 'bob', connections: 0 }]);
    expect(revocations.list()).toEqual([{ subject: 'alice' }]);
  });

  test('goes on over records that it cannot understand', async () => {
    const disk = createMemoryDisk();
    const { hub, revocations, errors } = await open(disk);
    await hub.publish(REVOCATION_TOPIC, { nobody: true });
    await hub.publish(REVOCATION_TOPIC, { subject: 'alice' });
    expect([errors.length, revocations.list()]).toEqual([1, [{ subject: 'alice' }]]);
    expect((await open(disk)).revocations.list()).toEqual([{ subject: 'alice' }]);
  });

  test('bounds what ends by itself, and nothing else', async () => {
    const disk = createMemoryDisk();
    const { log, revocations } = await open(disk, { lifetimeMaxMs: 60_000 });
    const given: Revocation[] = [
      { subject: 'locked' },
      { credentialId: 'phone' },
      { subject: 'out', issuedBeforeMs: 1 },
      { subject: 'set', untilMs: 9e15 },
    ];
    for (const record of given) await log.revoke(record);
    const [locked, phone, out, set] = revocations.list();
    expect([locked, set]).toEqual([{ subject: 'locked' }, { subject: 'set', untilMs: 9e15 }]);
    for (const one of [phone, out]) expect(one?.untilMs).toBeLessThanOrEqual(Date.now() + 60_000);
    expect((await open(disk)).revocations.list()).toEqual(revocations.list());
  });

  test('is shortened to what is in force when it has grown long', async () => {
    const disk = createMemoryDisk();
    const { hub } = await open(disk);
    const publish = (record: object): Promise<unknown> => hub.publish(REVOCATION_TOPIC, { ...record });
    await publish({ subject: 'alice' });
    await Promise.all(Array.from({ length: 1_100 }, (_, index) => publish({ credentialId: `old-${index}`, untilMs: 1 })));
    await publish({ credentialId: 'phone' });
    const second = await open(disk);
    expect(await lengthOf(second.hub)).toBe(2);
    await second.log.revoke({ subject: 'bob' });
    const third = await open(disk);
    expect(await lengthOf(third.hub)).toBe(3);
    expect(third.revocations.list()).toEqual([{ subject: 'alice' }, { credentialId: 'phone' }, { subject: 'bob' }]);
  });
});
