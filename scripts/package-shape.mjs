/**
 * What users of npm will get: every publishable package is packed as npm packs it, and the tarball is judged by publint
 * (do the files fit the manifest?) and by are-the-types-wrong (do types and code agree in every way of resolving?).
 */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conclude, listPackages, npm, TEST_FILE, tool } from './workspace.mjs';

const packages = listPackages();
const published = packages.filter(({ manifest }) => manifest.private !== true);
const failures = [];

const { version } = packages[0].manifest;
for (const { dir, manifest } of packages) {
  if (manifest.version !== version) failures.push(`${dir}: version ${manifest.version}, the others ${version}`);
  for (const [name, range] of Object.entries({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    const other = packages.find((one) => one.manifest.name === name);
    if (other !== undefined && range !== version) failures.push(`${dir}: wants ${name} ${range}, the workspace has ${version}`);
    if (other?.manifest.private === true && manifest.private !== true) failures.push(`${dir}: depends on ${name}, which is private`);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-pack-'));
try {
  const workspaces = published.map(({ dir }) => `--workspace=${dir}`);
  const packed = await npm(['pack', '--json', '--loglevel=error', '--ignore-scripts', `--pack-destination=${folder}`, ...workspaces]);
  if (packed.code !== 0) failures.push(`npm pack:\n${packed.output}`);
  const listing = packed.code === 0 ? JSON.parse(packed.stdout) : [];
  for (const { name, files } of Array.isArray(listing) ? listing : Object.values(listing)) {
    const paths = files.map(({ path }) => path);
    for (const wanted of ['LICENSE', 'README.md']) if (!paths.includes(wanted)) failures.push(`${name}: the tarball has no ${wanted}`);
    for (const path of paths.filter((one) => TEST_FILE.test(one) || one.endsWith('.tsbuildinfo')))
      failures.push(`${name}: ${path} does not belong into the tarball`);
  }
  for (const tarball of readdirSync(folder)) {
    const path = join(folder, tarball);
    const verdicts = await Promise.all([
      tool('publint/src/cli.js', ['run', path, '--strict']),
      tool('@arethetypeswrong/cli/dist/index.js', [path, '--profile', 'esm-only', '--no-emoji', '--no-color']),
    ]);
    for (const { code, output } of verdicts) if (code !== 0) failures.push(`${tarball}:\n${output.trim()}`);
  }
  const count = readdirSync(folder).length;
  if (count !== published.length) failures.push(`${count} tarballs for ${published.length} packages`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
conclude(failures, `${published.length} tarballs fit their manifests and their types`);
