/**
 * The arrows between packages. `layers.json` says for each which packages it may import and, where `modules` is given,
 * which modules from outside (tests are free in those). Refused as well: a relative import that leaves its package, a deep
 * import past another package's `exports`, a cycle between files (types aside). Reads the text of imports only; the compiler does the rest.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { conclude, isMain, listFiles, listPackages, root, TEST_FILE } from './workspace.mjs';

const IMPORT = /^\s*(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

/** What a source text imports, in order of appearance: `{name, isType}`, `isType` where nothing is left at run time. */
export function importsOf(text) {
  return [...text.matchAll(IMPORT)].map((match) => ({
    name: match[1] ?? match[2] ?? match[3],
    isType: /^\s*(?:import|export)\s+type\b/.test(match[0]),
  }));
}

/** Checks the tree at `base` against `layers`; returns `{failures, imports}`, the second a count. */
export function checkLayers(base, layers) {
  const packages = listPackages(base);
  const homes = [...packages.map(({ dir }) => dir), 'examples'];
  const edges = new Map();
  const failures = packages.filter(({ dir }) => ruleOf(dir, layers) === undefined).map(({ dir }) => `${dir}: layers.json does not name it`);
  let imports = 0;
  for (const file of listFiles(base, ['.ts', '.tsx', '.mts', '.mjs'])) {
    const home = homes.find((dir) => file.startsWith(`${dir}/`));
    const rule = home === undefined ? undefined : ruleOf(home, layers);
    if (rule === undefined) continue;
    edges.set(file, []);
    for (const { name, isType } of importsOf(readFileSync(join(base, file), 'utf8'))) {
      imports += 1;
      const fault = name.startsWith('.') ? relativeFault(file, name, home) : outsideFault(file, name, home, rule, packages);
      if (name.startsWith('.') && !isType) edges.get(file).push(posix.join(posix.dirname(file), name));
      if (fault !== undefined) failures.push(`${file}: '${name}' ${fault}`);
    }
  }
  for (const cycle of cyclesIn(edges)) failures.push(`cycle: ${cycle.join(' -> ')}`);
  return { failures, imports };
}

function ruleOf(dir, layers) {
  return layers[dir] ?? layers[`${dir.split('/')[0]}/*`];
}

function relativeFault(file, name, home) {
  return posix.join(posix.dirname(file), name).startsWith(`${home}/`) ? undefined : `leaves ${home}`;
}

function outsideFault(file, name, home, rule, packages) {
  // A module of the package itself, by the conditions in its manifest (`imports`); the compiler resolves it.
  if (name.startsWith('#')) return undefined;
  const target = packages.find(({ manifest }) => name === manifest.name || name.startsWith(`${manifest.name}/`));
  if (target === undefined) {
    const free = rule.modules === undefined || TEST_FILE.test(file) || allows(rule.modules, name);
    return free ? undefined : `is not among the modules that ${home} may import`;
  }
  if (target.dir !== home && !allows(rule.packages, target.dir)) return `is an arrow from ${home} to ${target.dir}`;
  const entry = `.${name.slice(target.manifest.name.length)}`;
  return target.manifest.exports?.[entry] === undefined ? `is not an entry point of ${target.manifest.name}` : undefined;
}

function allows(patterns, name) {
  return patterns.some((pattern) => pattern === name || (pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1))));
}

/** Every cycle that a depth-first walk meets, each as the path from a file back to itself. */
function cyclesIn(edges) {
  const cycles = [];
  const done = new Set();
  const visit = (file, path) => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file]);
    else if (!done.has(file)) {
      for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    }
  };
  for (const file of edges.keys()) visit(file, []);
  return cycles;
}

if (isMain(import.meta)) {
  const layers = JSON.parse(readFileSync(join(root, 'layers.json'), 'utf8'));
  const stale = Object.keys(layers).filter((dir) => !existsSync(join(root, dir.replace('/*', ''))));
  const { failures, imports } = checkLayers(root, layers);
  conclude([...stale.map((dir) => `layers.json names ${dir}, which does not exist`), ...failures], `${imports} imports follow the arrows`);
}
