/**
 * What the documents claim, as far as a program can tell. In Markdown: every relative link and anchor leads somewhere;
 * every package's README names each export of its entry point; every clause (`HF-n.m`) that is named anywhere is in
 * PROTOCOL.md; each invariant of ARCHITECTURE.md (`I-n`) names a test file that exists. In every text: no path of the
 * machine it was written on. Prints how many of the protocol's clauses a test names.
 */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { conclude, isMain, listFiles, listPackages, root } from './workspace.mjs';

const SOURCES = ['.ts', '.tsx', '.mjs'];
const TEXTS = [...SOURCES, '.md', '.json', '.css', '.html', '.sh', '.yml', '.c', '.py'];

const readOf = (base) => (file) => readFileSync(join(base, file), 'utf8');
const withoutFences = (text) => text.replace(/^( *)(```+|~~~+)[\s\S]*?^\1\2\s*$/gm, '');
const withoutCode = (text) => withoutFences(text).replace(/(`+)[\s\S]*?\1/g, '');

/** The anchors of a Markdown text as a forge makes them: headings in lower case without punctuation, and explicit ids. */
export function anchorsOf(text) {
  const anchors = new Set([...text.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)].map((match) => match[1]));
  const seen = new Map();
  for (const [, heading] of withoutFences(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '');
    const slug = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

/** Links in Markdown that lead nowhere. Addresses with a scheme are not followed. */
export function checkLinks(base) {
  const read = readOf(base);
  const failures = [];
  for (const file of listFiles(base, ['.md'])) {
    const text = withoutCode(read(file));
    const targets = [...text.matchAll(/\]\(\s*<?([^)>\s]+)>?(?:\s+"[^"]*")?\s*\)|^\[[^\]]+\]:\s*(\S+)/gm)].map(
      (match) => match[1] ?? match[2],
    );
    for (const target of targets.filter((link) => !/^[a-z][a-z0-9+.-]*:/i.test(link))) {
      const [path, anchor] = decodeURI(target).split('#');
      const other = path === '' ? file : posix.join(posix.dirname(file), path);
      if (path.startsWith('/') || other.startsWith('..') || !existsSync(join(base, other)))
        failures.push(`${file}: no such file: ${target}`);
      else if (anchor !== undefined && !hasAnchor(join(base, other), anchor)) failures.push(`${file}: no such anchor: ${target}`);
    }
  }
  return failures;
}

function hasAnchor(path, anchor) {
  if (!path.endsWith('.md') || statSync(path).isDirectory()) return /^L\d+/.test(anchor);
  return anchorsOf(readFileSync(path, 'utf8')).has(anchor);
}

/** Texts that name a directory of one person's machine. */
export function checkMachinePaths(base) {
  const path = /(?<![\w.~<{}$*)-])\/(work|root|tmp|home\/\w+|Users\/\w+)(?=\/|['"`\s]|$)/gm;
  const files = listFiles(base, TEXTS).filter((file) => !file.endsWith('package-lock.json'));
  return files.flatMap((file) => [...readOf(base)(file).matchAll(path)].map((match) => `${file}: the path of a machine: ${match[0]}`));
}

/** The names that an entry point exports, types included; `export *` is followed, into the workspace's packages too. */
export function exportsOf(base, file, packages) {
  const text = readOf(base)(file).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const names = [];
  for (const [, list] of text.matchAll(/^export\s+(?:type\s+)?\{([^}]*)\}/gm)) {
    names.push(
      ...list
        .split(',')
        .map((item) =>
          item
            .trim()
            .replace(/^type\s+/, '')
            .split(/\s+as\s+/)
            .at(-1),
        )
        .filter(Boolean),
    );
  }
  const declaration = /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:const|let|class|function\*?|interface|type)\s+([\w$]+)/gm;
  names.push(...[...text.matchAll(declaration)].map((match) => match[1]));
  for (const [, from] of text.matchAll(/^export\s+\*\s+from\s+['"]([^'"]+)['"]/gm)) {
    const other = packages.find(({ manifest }) => manifest.name === from);
    const path = other === undefined ? posix.join(posix.dirname(file), from) : `${other.dir}/src/index.ts`;
    names.push(...exportsOf(base, path, packages));
  }
  return [...new Set(names)];
}

/** Publishable packages without a README, and exports that their README does not name in code. */
export function checkReadmes(base) {
  const packages = listPackages(base);
  const failures = [];
  let names = 0;
  for (const { dir, manifest } of packages.filter((one) => one.manifest.private !== true)) {
    if (!existsSync(join(base, dir, 'README.md'))) {
      failures.push(`${dir}: no README.md`);
      continue;
    }
    const code = [...readOf(base)(`${dir}/README.md`).matchAll(/(`+)[\s\S]*?\1/g)].map((match) => match[0]).join('\n');
    const words = new Set(code.match(/[\w$]+/g));
    const exported = manifest.exports?.['.'] === undefined ? [] : exportsOf(base, `${dir}/src/index.ts`, packages);
    names += exported.length;
    for (const name of exported.filter((one) => !words.has(one))) failures.push(`${dir}/README.md does not name the export \`${name}\``);
  }
  return { failures, names };
}

/** Clauses that are named but not in PROTOCOL.md, and how many of those in it a test names. */
export function checkClauses(base) {
  const read = readOf(base);
  if (!existsSync(join(base, 'PROTOCOL.md'))) return { failures: ['PROTOCOL.md is missing'], clauses: 0, tested: 0 };
  const defined = [...read('PROTOCOL.md').matchAll(/^(?:#+ |[-*] \*\*)(HF-\d+(?:\.\d+)?)\b/gm)].map((match) => match[1]);
  const known = new Set(defined);
  const clauses = new Set(defined.filter((id) => id.includes('.')));
  const failures = defined.filter((id, index) => defined.indexOf(id) !== index).map((id) => `PROTOCOL.md: ${id} is there twice`);
  const tested = new Set();
  for (const file of listFiles(base, [...SOURCES, '.md']).filter((one) => !one.startsWith('scripts/'))) {
    for (const [id] of read(file).matchAll(/\bHF-\d+(?:\.\d+)?\b/g)) {
      if (!known.has(id)) failures.push(`${file}: ${id} is not in PROTOCOL.md`);
      else if (clauses.has(id) && file.includes('.test.')) tested.add(id);
    }
  }
  return { failures, clauses: clauses.size, tested: tested.size };
}

/** Invariants of ARCHITECTURE.md that do not name an existing test file in backticks before the next one begins. */
export function checkInvariants(base) {
  if (!existsSync(join(base, 'ARCHITECTURE.md'))) return { failures: ['ARCHITECTURE.md is missing'], invariants: 0 };
  const blocks = readOf(base)('ARCHITECTURE.md')
    .split(/^(?=(?:[-*|]\s*|#+\s+)?\**I-\d+\b)/m)
    .slice(1);
  const failures = blocks.length === 0 ? ['ARCHITECTURE.md has no invariant (a line that begins with I-1)'] : [];
  const seen = new Set();
  for (const block of blocks) {
    const id = /I-\d+/.exec(block)[0];
    if (seen.has(id)) failures.push(`ARCHITECTURE.md: ${id} is there twice`);
    seen.add(id);
    const own = block.split(/\n\s*\n|\n#/)[0];
    const tests = [...own.matchAll(/`([\w./-]+\.test\.(?:ts|tsx|mjs))`/g)].map((match) => match[1]);
    if (tests.length === 0) failures.push(`ARCHITECTURE.md: ${id} names no test file`);
    for (const test of tests.filter((path) => !existsSync(join(base, path))))
      failures.push(`ARCHITECTURE.md: ${id} names ${test}, which does not exist`);
  }
  return { failures, invariants: seen.size };
}

if (isMain(import.meta)) {
  const readmes = checkReadmes(root);
  const clauses = checkClauses(root);
  const invariants = checkInvariants(root);
  conclude(
    [...checkLinks(root), ...checkMachinePaths(root), ...readmes.failures, ...clauses.failures, ...invariants.failures],
    `${readmes.names} exports named in READMEs, ${invariants.invariants} invariants with their tests, ${clauses.tested} of ${clauses.clauses} clauses named by a test`,
  );
}
