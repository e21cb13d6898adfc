/** A check that never fails proves nothing: each kind of damage must be found, and named. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EntryRecord } from '@holdfast/wire';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Ledger } from './ledger.ts';
import { legalName } from './legal-name.ts';
import { LogCheck } from './log-check.ts';
import { firstDifference, RecordFile } from './record.ts';

const LINES = ['[00:00] <a> one', '=== b [h]  has joined #x', '[00:01] <b> two', '[00:02] <a> three', '[00:03]  * b four'];

/** The log as it should be. */
function goodLog(): EntryRecord[] {
  const said = [
    { line: 1, kind: 'message', nick: 'a', text: 'one' },
    { line: 3, kind: 'message', nick: 'b', text: 'two' },
    { line: 4, kind: 'message', nick: 'a', text: 'three' },
    { line: 5, kind: 'action', nick: 'b', text: 'four' },
  ];
  const seqs = new Map<string, number>();
  return said.map((data, index) => {
    const seq = (seqs.get(data.nick) ?? 0) + 1;
    seqs.set(data.nick, seq);
    return { offset: index + 1, producer: `p-${data.nick}`, seq, from: legalName(data.nick), at: 0, data: { file: 'f', ...data } };
  });
}

/** Offsets and seqs made dense again, as a log has them. */
function renumbered(entries: readonly EntryRecord[]): EntryRecord[] {
  const seqs = new Map<string, number>();
  return entries.map((entry, index) => {
    const key = `${entry.producer} ${entry.from}`;
    const seq = (seqs.get(key) ?? 0) + 1;
    seqs.set(key, seq);
    return { ...entry, offset: index + 1, seq };
  });
}

function faultsOf(entries: readonly EntryRecord[]): string[] {
  const ledger = new Ledger();
  const check = new LogCheck('f', LINES, ledger);
  for (const entry of entries) check.entry(entry);
  check.end();
  return ledger.lines();
}

describe("a topic's log against its file", () => {
  const [one, two, three, four] = goodLog() as [EntryRecord, EntryRecord, EntryRecord, EntryRecord];

  test('is without fault when it is the file, and in any order of different nicks', () => {
    expect(faultsOf(goodLog())).toEqual([]);
    expect(faultsOf(renumbered([two, one, four, three]))).toEqual([]);
  });

  test.each([
    ['lost', [one, two, four], 'f:4: [00:02] <a> three'],
    ['duplicated', [one, two, three, two, four], 'f:3 at the offsets 2 and 4'],
    ['reordered', [three, two, one, four], 'f:1 of a at offset 3, after line 4'],
    ['altered', [one, two, { ...three, data: { ...(three.data as object), text: 'Three' } }, four], 'f:4 at offset 3, from a'],
    ['altered', [one, { ...two, from: 'a' }, three, four], 'f:3 at offset 2, from a'],
    ['foreign', [one, two, three, four, { ...four, data: { file: 'f', line: 2 } }], 'offset 5 says {"file":"f","line":2}'],
    ['foreign', [one, two, three, four, { ...four, data: { file: 'g', line: 3 } }], 'offset 5 says {"file":"g","line":3}'],
  ])('%s', (fault, entries, offender) => {
    const [line, first] = faultsOf(renumbered(entries as EntryRecord[]));
    expect(line).toMatch(new RegExp(`^${fault}: 1 `));
    expect(first).toContain(offender);
  });

  test('holes in offsets and seqs', () => {
    expect(faultsOf([one, two, { ...three, offset: 4 }, { ...four, offset: 5 }])).toEqual([
      expect.stringMatching(/^altered: 1 /),
      '  f: offset 4 after 2',
    ]);
    expect(faultsOf([one, two, { ...three, seq: 3 }, four])).toEqual([
      expect.stringMatching(/^altered: 1 /),
      '  f: offset 3 has seq 3 of p-a after 1',
    ]);
  });
});

describe('records', () => {
  function files(): [string, string] {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-records-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    return [join(folder, 'one'), join(folder, 'other')];
  }

  test.each([
    ['a\nb\nc\n', undefined],
    ['a\nc\n', 'has c where b is next'],
    ['a\nb\nb\nc\n', 'has b where c is next'],
    ['a\nb\n', 'ends after 2 records; c is next'],
    ['', 'ends after 0 records; a is next'],
    ['a\nb\nc\nd\n', 'goes on after 3 records, with d'],
  ])('%j against a, b, c', async (text, difference) => {
    const [one, other] = files();
    writeFileSync(one, 'a\nb\nc\n');
    writeFileSync(other, text);
    expect(await firstDifference(one, other)).toBe(difference);
  });

  test('go on after the stored length: what was written behind it counts once', async () => {
    const [one, other] = files();
    const first = new RecordFile(one, 0);
    first.append('a');
    const { bytes } = first;
    first.append('é, killed before this was stored');
    first.close();
    const second = new RecordFile(one, bytes);
    second.append('b');
    second.close();
    writeFileSync(other, 'a\nb\n');
    expect(await firstDifference(other, one)).toBeUndefined();
  });
});
