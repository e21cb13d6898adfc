import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CALAMITIES, CALAMITY_NAMES } from './calamities.ts';
import { FAULTS } from './faults.ts';
import { PROPERTIES } from './properties.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('README.md holds every property with its clause, as the code says it', () => {
  for (const [name, text] of Object.entries(PROPERTIES)) {
    const [clause, ...says] = text.split(': ');
    expect(readme).toContain(`| \`${name}\` | ${clause} | ${says.join(': ')} |`);
  }
});

test('README.md holds every fault with what it breaks, and what found it', () => {
  for (const { name, does, breaks, properties } of FAULTS) {
    const found = readme.split(`| \`${name}\` | ${does} | ${breaks} | \``)[1]?.split('`')[0];
    expect(properties).toContain(found);
  }
});

test('README.md holds every calamity with what it does', () => {
  for (const kind of CALAMITY_NAMES) expect(readme).toContain(`| \`${kind}\` | ${CALAMITIES[kind].does} |`);
});

test('each of the twenty decisions is held by a property, and README.md says which', () => {
  const named = new Map<number, string[]>();
  for (const [name, text] of Object.entries(PROPERTIES)) {
    const [clause] = text.split(': ');
    for (const decision of decisionsIn(clause!)) named.set(decision, [...(named.get(decision) ?? []), `\`${name}\``]);
  }
  for (let decision = 1; decision <= 20; decision++) {
    expect(named.get(decision) ?? []).not.toEqual([]);
    expect(readme).toMatch(new RegExp(`^\\| ${decision} [^|]* \\| ${named.get(decision)!.join(', ')} \\|$`, 'm'));
  }
});

/** `decision 9`, `decisions 1 and 2`, `decisions 1 to 3`. */
function decisionsIn(clause: string): number[] {
  const [, first, word, last] = /decisions? (\d+)(?: (and|to) (\d+))?/.exec(clause) ?? [];
  if (first === undefined) return [];
  if (word === 'to') return Array.from({ length: Number(last) - Number(first) + 1 }, (_, at) => Number(first) + at);
  return word === undefined ? [Number(first)] : [Number(first), Number(last)];
}
