/**
 * `holdfast serve`: one hub on one port, with a store on disk. Without settings it is a server for trying things out on
 * one's own machine; with them it is one for the internet. What it can be told is in `settings.ts`, what it then does in
 * `service.ts`. An application of its own begins where this ends: with `createHub` and its hooks.
 */

import { checkConfiguration } from './configuration-check.ts';
import { configurationReport } from './configuration-report.ts';
import { loadConfiguration } from './configuration.ts';
import { defineCommand, type Command } from './command.ts';
import { EXIT_CODES } from './failure.ts';
import { flag, optionOf, textOption, type Option } from './option.ts';
import { runService } from './service.ts';
import { SETTING_KEYS, SETTINGS, type Setting, type SettingKey } from './settings.ts';

const OPTIONS = {
  config: textOption('FILE', 'read settings from FILE: JSON, with comments (default: $HOLDFAST_CONFIG, or none)'),
  'check-config': flag('say which settings would be in force and where each came from, and end'),
};

/** A flag for each setting that has one. */
function settingOptions(): Record<string, Option<unknown>> {
  const withFlags = SETTING_KEYS.flatMap((key) => {
    const { flag: names } = SETTINGS[key];
    return names === undefined ? [] : [[names[0], optionFor(key, names[1])] as const];
  });
  return Object.fromEntries(withFlags);
}

function optionFor(key: SettingKey, placeholder: string | undefined): Option<unknown> {
  const { type, meaning, default: byDefault, defaultText } = SETTINGS[key] as Setting<unknown>;
  const value = typeof byDefault === 'string' || typeof byDefault === 'number' ? type.show(byDefault) : undefined;
  const otherwise = defaultText ?? (typeof value === 'object' ? undefined : value);
  const text = wrapped(otherwise === undefined ? meaning : `${meaning} (default ${otherwise})`);
  return placeholder === undefined ? flag(text) : optionOf(placeholder, text, type);
}

/** Lines of the help, characters. */
const WIDTH_MAX = 84;

function wrapped(text: string): string {
  let line = '';
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH_MAX) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

export const serve: Command = defineCommand({
  name: 'serve',
  summary: 'runs a server.',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  options: { ...OPTIONS, ...settingOptions() },
  details: [
    'Clients connect to ws://HOST:PORT/ (or /realtime); back ends use the REST API on /v1. Without settings it is a server for',
    'trying things out: everybody is who they claim to be, and any WebSocket client has a chat on /plain.',
    'All settings may stand in a file or in the environment (docs/configuration.md): --port is HOLDFAST_PORT. A flag counts',
    'before the environment, the environment before the file.',
    'Ctrl-C or SIGTERM stops it: clients are told, everything acknowledged is on disk. A second one ends it at once. Off a',
    'terminal, SIGHUP reads the TLS files again.',
  ].join('\n'),
  examples: [
    ['holdfast serve', 'everything in ./data, on http://localhost:8080'],
    ['holdfast serve --port 9000 --data /var/lib/chat', 'another port, another folder'],
    ['holdfast serve --memory --static dist', 'a single-page app and a server that forgets'],
    ['holdfast serve --retain-count 10000 --retain-age 30d', 'bounded history; older readers get a gap'],
    ['holdfast serve --config holdfast.json --check-config', 'whether a file is right, and what it means'],
  ],
  run: async ({ values }) => {
    const { config, 'check-config': isCheck, ...flags } = values;
    const file = config ?? process.env['HOLDFAST_CONFIG'];
    const configuration = loadConfiguration({ flags, environment: process.env, file: file === '' ? undefined : file });
    await checkConfiguration(configuration, process.env);
    if (isCheck === true) process.stdout.write(configurationReport(configuration));
    else await runService(configuration.settings);
    return EXIT_CODES.ok;
  },
});
