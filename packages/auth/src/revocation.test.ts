import type { Identity } from '@holdfast/server';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { covers, createRevocations, parseRevocation, type Revocation } from './index.ts';
import { NOW_MS, refusalOf, WallClock } from './refusal.testing.ts';

const alice: Identity = { subject: 'alice', credentialId: 'c-1', issuedAtMs: NOW_MS - 1_000 };

describe('a revocation meets', () => {
  test.for<[string, Revocation, Identity, boolean]>([
    ['the subject', { subject: 'alice' }, alice, true],
    ['no other subject', { subject: 'alice' }, { subject: 'bob' }, false],
    ['the credentials', { credentialId: 'c-1' }, alice, true],
    ['no other credentials', { credentialId: 'c-1' }, { ...alice, credentialId: 'c-2' }, false],
    ['no credentials without an id', { credentialId: 'c-1' }, { subject: 'alice' }, false],
    ['both together', { subject: 'alice', credentialId: 'c-1' }, alice, true],
    ['not one of both', { subject: 'bob', credentialId: 'c-1' }, alice, false],
    ['older ones', { subject: 'alice', issuedBeforeMs: NOW_MS }, alice, true],
    ['none issued at that time', { subject: 'alice', issuedBeforeMs: NOW_MS - 1_000 }, alice, false],
    ['those of unknown age', { subject: 'alice', issuedBeforeMs: 0 }, { subject: 'alice' }, true],
    ["everybody's older ones", { issuedBeforeMs: NOW_MS }, alice, true],
    ["nobody's newer ones", { issuedBeforeMs: NOW_MS - 1_000 }, alice, false],
  ])('%s', ([, revocation, identity, isMet]) => {
    const revocations = createRevocations({ clock: new WallClock() });
    expect(revocations.isRevoked(identity)).toBe(false);
    revocations.revoke(revocation);
    expect(revocations.isRevoked(identity)).toBe(isMet);
    expect(covers(revocation, identity)).toBe(isMet);
  });
});

test('ends, and is forgotten', () => {
  const clock = new WallClock();
  const revocations = createRevocations({ clock });
  revocations.revoke({ subject: 'alice', untilMs: NOW_MS + 10 });
  expect([revocations.isRevoked(alice), revocations.list().length]).toEqual([true, 1]);
  clock.nowMs += 10;
  expect([revocations.isRevoked(alice), revocations.list()]).toEqual([false, []]);
});

test('is lifted by one that has ended; signing out everywhere does not lift a lock', () => {
  const revocations = createRevocations({ clock: new WallClock() });
  revocations.revoke({ subject: 'alice' });
  revocations.revoke({ subject: 'alice', issuedBeforeMs: NOW_MS - 5_000, untilMs: NOW_MS + 1 });
  expect(revocations.isRevoked(alice)).toBe(true);
  revocations.revoke({ subject: 'alice', untilMs: NOW_MS });
  expect(revocations.isRevoked(alice)).toBe(false);
  expect(revocations.isRevoked({ subject: 'alice', issuedAtMs: NOW_MS - 6_000 })).toBe(true);
});

test('there are only so many; ended ones make room, and none in force is given up', async () => {
  const clock = new WallClock();
  const revocations = createRevocations({ clock, revocationsMax: 2 });
  revocations.revoke({ subject: 'alice' });
  revocations.revoke({ subject: 'bob', untilMs: NOW_MS + 10 });
  revocations.revoke({ subject: 'bob', untilMs: NOW_MS + 20 });
  expect(await refusalOf(() => revocations.revoke({ subject: 'carol' }))).toMatchObject({
    code: 'OVERLOADED',
    hint: expect.stringContaining('untilMs'),
  });
  expect(revocations.list().map(({ subject }) => subject)).toEqual(['alice', 'bob']);
  clock.nowMs += 20;
  revocations.revoke({ subject: 'carol' });
  expect(revocations.list().map(({ subject }) => subject)).toEqual(['alice', 'carol']);
});

describe('a record', () => {
  test('is what it was after a log kept it', () => {
    const record = { subject: 'alice', credentialId: 'c-1', issuedBeforeMs: 1.5, untilMs: NOW_MS };
    expect(parseRevocation(JSON.parse(JSON.stringify({ ...record, by: 'carol' })))).toEqual(record);
  });

  test.for<[unknown, RegExp]>([
    [null, /^a revocation is an object$/],
    [[], /^a revocation is an object$/],
    [{}, /would lock everybody out$/],
    [{ untilMs: 7 }, /would lock everybody out$/],
    [{ subject: '' }, /^the subject of a revocation is a string/],
    [{ subject: 7 }, /^the subject/],
    [{ subject: null, credentialId: 'c-1' }, /^the subject/],
    [{ credentialId: 'x'.repeat(257) }, /^the credentialId/],
    [{ issuedBeforeMs: '7' }, /^the issuedBeforeMs of a revocation is a time/],
    [{ subject: 'a', untilMs: Infinity }, /^the untilMs/],
  ])('%j is none', async ([value, message]) => {
    expect(await refusalOf(() => parseRevocation(value))).toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
    const revocations = createRevocations();
    await refusalOf(() => revocations.revoke(value as Revocation));
    expect(revocations.list()).toEqual([]);
  });
});

describe('the fold of a log', () => {
  const ids = fc.constantFrom('a', 'b');
  const time = fc.integer({ min: NOW_MS - 3, max: NOW_MS + 3 });
  const records = fc.array(
    fc
      .record({ subject: ids, credentialId: ids, issuedBeforeMs: time, untilMs: time }, { requiredKeys: [] })
      .filter(({ subject, credentialId, issuedBeforeMs }) => (subject ?? credentialId ?? issuedBeforeMs) !== undefined),
    { maxLength: 12 },
  );
  const identities: Identity[] = [undefined, 'a', 'b'].flatMap((credentialId) =>
    ['a', 'b'].flatMap((subject) =>
      [undefined, NOW_MS - 3, NOW_MS, NOW_MS + 3].map((issuedAtMs) => ({
        subject,
        ...(credentialId === undefined ? {} : { credentialId }),
        ...(issuedAtMs === undefined ? {} : { issuedAtMs }),
      })),
    ),
  );
  const kindOf = ({ subject, credentialId, issuedBeforeMs }: Revocation): string =>
    `${subject}/${credentialId}/${issuedBeforeMs === undefined}`;
  /** The definition, without any index: the last record of each kind counts while it lasts; of those with a time each, since the last release. */
  const isRevokedBy = (log: readonly Revocation[], identity: Identity): boolean =>
    log.some(
      (record, at) =>
        (record.untilMs ?? Infinity) > NOW_MS &&
        covers(record, identity) &&
        !log
          .slice(at + 1)
          .some((later) => kindOf(later) === kindOf(record) && (record.issuedBeforeMs === undefined || later.untilMs! <= NOW_MS)),
    );

  test('knows what the last record of each kind says', () => {
    fc.assert(
      fc.property(records, (log) => {
        const revocations = createRevocations({ clock: new WallClock() });
        for (const record of log) revocations.revoke(record);
        expect(identities.map((one) => revocations.isRevoked(one))).toEqual(identities.map((one) => isRevokedBy(log, one)));
      }),
    );
  });

  test('is the same after a replay, a second replay, and from the shortened log', () => {
    fc.assert(
      fc.property(records, (log) => {
        const once = createRevocations({ clock: new WallClock() });
        const twice = createRevocations({ clock: new WallClock() });
        const shortened = createRevocations({ clock: new WallClock() });
        for (const record of log) once.revoke(record);
        for (const record of [...log, ...log]) twice.revoke(parseRevocation(JSON.parse(JSON.stringify(record))));
        for (const record of once.list()) shortened.revoke(record);
        const sorted = (list: readonly Revocation[]): string[] => list.map((record) => JSON.stringify(record)).sort();
        expect(sorted(twice.list())).toEqual(sorted(once.list()));
        expect(shortened.list()).toEqual(once.list());
      }),
    );
  });
});
