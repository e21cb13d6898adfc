/**
 * The titles of a file of tests, read from its syntax: what stands in quotes as the first argument of `test`, `it` or `describe`,
 * and in the tables of `.each` and `.for`, whose rows are tests too. Comments, bodies and expectations are none of it.
 */

import { parseAst } from 'vitest/node';

const ROOTS = new Set(['test', 'it', 'describe', 'suite']);
const TABLES = new Set(['each', 'for']);
/** On the way to a test, or among its options, they have it not run, or others not. `skipIf` and `runIf` depend on the machine. */
const SWITCHES = new Set(['skip', 'only', 'todo', 'fails']);

/** What a source says: `{titles, switched}`, the second being how tests of it are switched off, such as `test.skip`. Throws if it is none. */
export function titlesOf(source, { isReact = false } = {}) {
  // oxlint-disable-next-line typescript/no-deprecated -- its successor is vite's, and vitest hands on this one alone
  const program = parseAst(source, { lang: isReact ? 'tsx' : 'ts' });
  const found = { titles: new Set(), switched: new Set(), tables: new Map() };
  for (const statement of program.body) {
    const declared = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
    if (declared?.type === 'VariableDeclaration') for (const { id, init } of declared.declarations) found.tables.set(id.name, init);
  }
  visit(program, (node) => node.type === 'CallExpression' && readCall(node, found));
  return { titles: [...found.titles], switched: [...found.switched] };
}

function readCall({ callee, arguments: given }, found) {
  const chain = chainOf(callee);
  if (!ROOTS.has(chain[0])) return;
  const off = [...chain.slice(1), ...given.flatMap(keysOf)].find((name) => SWITCHES.has(name));
  if (off !== undefined) found.switched.add(`${chain[0]}.${off}`);
  const last = callee.type === 'MemberExpression' ? chain.at(-1) : undefined;
  if (TABLES.has(last)) for (const table of given) readTable(table, found);
  else if (given.length > 1) readTable(given[0], { ...found, tables: new Map() });
}

/** All strings outside of functions; names are followed to the table at the top of the file; a function’s key is the name of a case. */
function readTable(table, found) {
  visit(table, (node) => {
    if (node.type === 'Literal' && typeof node.value === 'string') found.titles.add(node.value);
    if (node.type === 'TemplateElement') found.titles.add(node.value.cooked ?? node.value.raw);
    if (node.type === 'Property' && isFunction(node.value)) found.titles.add(node.key.name ?? node.key.value);
    if (node.type === 'Identifier' && found.tables.has(node.name)) {
      const named = found.tables.get(node.name);
      found.tables.delete(node.name);
      if (named !== null) readTable(named, found);
    }
    return isFunction(node);
  });
}

/** `test.skip.each(rows)` is `['test', 'skip', 'each']`, and so is what it returns. */
function chainOf(callee) {
  if (callee.type === 'Identifier') return [callee.name];
  if (callee.type === 'MemberExpression') return [...chainOf(callee.object), callee.property.name];
  return callee.type === 'CallExpression' ? chainOf(callee.callee) : [undefined];
}

/** Of an object among arguments: the options of a test. A switch that is `false` is on the safe side: it counts. */
function keysOf(node) {
  return node.type === 'ObjectExpression' ? node.properties.map(({ key }) => key?.name) : [];
}

function isFunction({ type }) {
  return type === 'ArrowFunctionExpression' || type === 'FunctionExpression';
}

/** Calls `see` with each node; what it answers `true` to is not looked into. */
function visit(node, see) {
  if (typeof node?.type === 'string' && see(node) === true) return;
  for (const child of Object.values(node)) if (typeof child === 'object' && child !== null) visit(child, see);
}
