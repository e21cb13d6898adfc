/** The settings in force as text: `holdfast serve --check-config` prints them. Secrets are `***`. */

import { authModeOf } from './gate.ts';
import { originText, type Configuration } from './configuration.ts';
import { SETTING_KEYS, SETTINGS, type Setting, type SettingKey } from './settings.ts';

/** One line per setting that has a value or a default: its key, the value as a file would have it, and where it came from. */
export function configurationReport({ settings, origins }: Configuration): string {
  // What the rest of the settings means is more than that nothing was given.
  const inForce = { ...settings, 'auth.mode': authModeOf(settings) };
  const rows = SETTING_KEYS.map((key) => [key, valueText(key, inForce[key]), originText(origins.get(key) ?? 'default')] as const);
  const widthOf = (at: 0 | 1): number => Math.max(...rows.map((row) => Math.min(row[at].length, WIDTH_MAX)));
  const [keys, values] = [widthOf(0), widthOf(1)];
  return rows.map(([key, value, origin]) => `${key.padEnd(keys)}  ${value.padEnd(values)}  ${origin}\n`).join('');
}

/** A longer value pushes its own line out alone, characters. */
const WIDTH_MAX = 40;

function valueText(key: SettingKey, value: unknown): string {
  const { type, defaultText } = SETTINGS[key] as Setting<unknown>;
  if (value === undefined) return `(${defaultText ?? 'none'})`;
  return JSON.stringify(type.show(value));
}
