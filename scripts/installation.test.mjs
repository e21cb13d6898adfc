import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { whatIsMissing } from './installation.mjs';

describe('whatIsMissing', () => {
  let base;
  const lock = (file, packages) => writeFileSync(join(base, file), JSON.stringify({ packages }));

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'holdfast-installation-'));
    mkdirSync(join(base, 'node_modules'));
    lock('package-lock.json', {
      '': { version: '1.0.0' },
      'packages/own': { version: '1.0.0' },
      'node_modules/own': { resolved: 'packages/own', link: true },
      'node_modules/a': { version: '1.2.3' },
      'node_modules/for-another-system': { version: '1.0.0', optional: true },
    });
  });
  afterEach(() => rmSync(base, { recursive: true }));

  it('is everything before the first installation', () => {
    expect(whatIsMissing(base)).toBe('nothing is installed yet');
  });

  it('is nothing when every package that is not optional is there', () => {
    lock('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.2.3' } });
    expect(whatIsMissing(base)).toBeUndefined();
  });

  it('is a package that the lock file has and the folder has not', () => {
    lock('node_modules/.package-lock.json', {});
    expect(whatIsMissing(base)).toBe('a 1.2.3 is missing');
  });

  it('is a package that the lock file now wants in another version', () => {
    lock('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.2.2' } });
    expect(whatIsMissing(base)).toBe('a 1.2.3 is missing');
  });

  it('is an optional package, too, when it is there in another version', () => {
    lock('node_modules/.package-lock.json', {
      'node_modules/a': { version: '1.2.3' },
      'node_modules/for-another-system': { version: '0.9.0' },
    });
    expect(whatIsMissing(base)).toBe('for-another-system 1.0.0 is missing');
  });
});
