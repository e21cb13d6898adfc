import { expect, test } from 'vitest';
import { jwtLifetimeMaxOf } from './gate.ts';
import { SETTING_KEYS, SETTINGS, type Settings } from './settings.ts';

const defaults = Object.fromEntries(SETTING_KEYS.map((key) => [key, SETTINGS[key].default])) as unknown as Settings;

test('a revocation lasts for as long as what it meets may: tokens, and tickets that outlive them', () => {
  const short = { ...defaults, 'auth.jwt.maxLifetime': 60_000, 'auth.jwt.clockTolerance': 5_000 };
  expect(jwtLifetimeMaxOf(short, 'jwt')).toBe(70_000);
  expect(jwtLifetimeMaxOf({ ...short, 'auth.ticketLifetime': 3_600_000 }, 'jwt')).toBe(3_600_000);
  expect(jwtLifetimeMaxOf(defaults, 'jwt')).toBeUndefined();
  expect(jwtLifetimeMaxOf(short, 'webhook')).toBeUndefined();
});
