import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FAULTS } from './faults.ts';
import { CALAMITIES } from './profile.ts';
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

test('README.md holds every calamity', () => {
  for (const calamity of CALAMITIES) expect(readme).toMatch(new RegExp(`^\\| .*\\b${calamity}\\b.* \\|`, 'm'));
});
