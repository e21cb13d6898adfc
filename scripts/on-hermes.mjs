/**
 * `npm run test:hermes`: the client on a real Hermes, as an application for React Native would bring it there. The virtual
 * machine (`hermes-engine-cli`, the last one that npm has: 0.12, of 2022), Babel with React Native's preset, and Metro go
 * into a temporary folder and leave with it. Two programs run: what Metro makes of the built packages, and
 * `packages/client/src/hermes-program.testing.ts`, a channel and a client through a cut.
 */

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ensureBuilt, ensureInstalled, InstallationError, orExplain } from './installation.mjs';
import { npm, root, run } from './workspace.mjs';

const TOOLS = [
  'hermes-engine-cli@0.12.0',
  '@babel/core@7',
  '@react-native/babel-preset@0.86',
  '@react-native/metro-babel-transformer@0.86',
  'metro@0.84',
];
const SYSTEMS = { linux: 'linux64-bin/hermes', darwin: 'osx-bin/hermes', win32: 'win64-bin/hermes.exe' };

const EXPECTED = {
  channel: {
    messages: ['grüß dich 😀', [1, 2, 3]],
    headers: { Authorization: 'Bearer x' },
    end: ['local', 3000, 'done'],
    refused: ['peer', 401, 'UPGRADE_REFUSED'],
  },
  client: { seen: [{ text: 'grüß dich 😀' }, [1, 2, 3], 'later'], phase: 'closed' },
};

/** Hermes's own program has timers that do not wait, and promises that take one of them for each step. */
const SETTLED = 'function settled(f) { var left = 200; (function step() { if (left-- > 0) setTimeout(step, 0); else f(); })(); }';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-hermes-'));
const need = createRequire(join(folder, 'package.json'));

async function hermes(code, name) {
  const file = join(folder, `${name}.js`);
  writeFileSync(file, code);
  const machine = join(folder, 'node_modules/hermes-engine-cli', SYSTEMS[process.platform] ?? SYSTEMS.linux);
  return (await run(machine, ['-Xes6-promise=1', file])).output.trim();
}

/** The program of the sources, with what React Native's preset leaves of its syntax. */
async function program() {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'packages/client/src/hermes-program.testing.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    conditions: ['@holdfast/source'],
    define: { setImmediate: 'settled' },
    banner: { js: SETTLED },
  });
  const preset = [need.resolve('@react-native/babel-preset'), { enableBabelRuntime: false, disableImportExportTransform: true }];
  const options = { presets: [preset], babelrc: false, configFile: false, sourceType: 'script', filename: 'program.js' };
  return need('@babel/core').transformSync(outputFiles[0].text, options).code;
}

/** What Metro makes of an application that uses the packages as npm would install them. */
async function application() {
  for (const name of ['wire', 'client']) {
    const target = join(folder, 'node_modules/@holdfast', name);
    mkdirSync(target, { recursive: true });
    for (const part of ['package.json', 'dist']) cpSync(join(root, 'packages', name, part), join(target, part), { recursive: true });
  }
  const text = `import { createClient, WebSocketChannel } from '@holdfast/client';\nprint(typeof createClient, typeof WebSocketChannel.connect);\n`;
  writeFileSync(join(folder, 'index.js'), text);
  const metro = need('metro');
  const config = await metro.loadConfig({ cwd: folder }, { projectRoot: folder });
  Object.assign(config, { projectRoot: folder, watchFolders: [folder], maxWorkers: 1 });
  config.resolver = { ...config.resolver, useWatchman: false, unstable_conditionsByPlatform: { android: ['react-native'] } };
  config.transformer = { ...config.transformer, babelTransformerPath: need.resolve('@react-native/metro-babel-transformer') };
  config.reporter = { update: () => {} };
  const { code } = await metro.runBuild(config, { entry: 'index.js', platform: 'android', minify: false, dev: false });
  return code;
}

try {
  await orExplain(async () => {
    await ensureInstalled();
    await ensureBuilt();
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    const installed = await npm(['install', '--no-save', '--no-audit', '--no-fund', ...TOOLS], { cwd: folder });
    if (installed.code !== 0) throw new InstallationError(`npm could not bring Hermes:\n${installed.output.trimEnd()}`);
    const outcomes = [
      ['what Metro makes of the packages', await hermes(await application(), 'application'), 'function function'],
      ['a channel, and a client through a cut', await hermes(await program(), 'program'), JSON.stringify(EXPECTED)],
    ];
    for (const [name, output, expected] of outcomes) {
      console.log(`${output === expected ? 'ok  ' : 'FAIL'} ${name} on Hermes 0.12`);
      if (output === expected) continue;
      console.log(`     expected ${expected}\n     got      ${output.slice(0, 2_000)}`);
      process.exitCode = 1;
    }
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
