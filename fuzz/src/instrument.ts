/**
 * Block coverage: each function, branch, arm and loop body of a module gets a counter. Works on the text of a built module;
 * no line moves. What counts is kept by `blocks.ts`.
 */

import { parseSync } from 'oxc-parser';

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** The module with a counter in each block, and how many there are. `name` is what its counters are asked for by. */
export function instrument(name: string, source: string): { readonly code: string; readonly count: number } {
  const marks = new Marks();
  visit(parseSync('module.js', source).program as unknown as Node, marks);
  const prologue = `const $hit=globalThis.holdfastBlocks?.(${JSON.stringify(name)},${marks.count})??new Uint8Array(${marks.count});`;
  return { code: prologue + marks.applyTo(source), count: marks.count };
}

/** Texts to be put in, outer ones before inner ones. */
class Marks {
  count = 0;
  readonly #opening = new Map<number, string>();
  readonly #closing = new Map<number, string>();

  /** Counts from here on: a place where a statement may stand. */
  statement(at: number): void {
    this.#open(at, `$hit[${this.count++}]=1;`);
  }

  /** A statement becomes a block. */
  block({ start, end }: Node): void {
    this.#open(start, `{$hit[${this.count++}]=1;`);
    this.#close(end, '}');
  }

  expression({ start, end }: Node): void {
    this.#open(start, `($hit[${this.count++}]=1,`);
    this.#close(end, ')');
  }

  #open(at: number, text: string): void {
    this.#opening.set(at, (this.#opening.get(at) ?? '') + text);
  }

  #close(at: number, text: string): void {
    this.#closing.set(at, text + (this.#closing.get(at) ?? ''));
  }

  applyTo(source: string): string {
    const places = [...new Set([...this.#opening.keys(), ...this.#closing.keys()])].sort((one, other) => one - other);
    let code = '';
    let from = 0;
    for (const at of places) {
      code += source.slice(from, at) + (this.#closing.get(at) ?? '') + (this.#opening.get(at) ?? '');
      from = at;
    }
    return code + source.slice(from);
  }
}

function visit(node: Node, marks: Marks): void {
  mark(node, marks);
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const item of value as readonly unknown[]) if (isNode(item)) visit(item, marks);
    } else if (isNode(value)) visit(value, marks);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

function mark(node: Node, marks: Marks): void {
  switch (node.type) {
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
    case 'CatchClause':
    case 'ForStatement':
    case 'ForInStatement':
    case 'ForOfStatement':
    case 'WhileStatement':
    case 'DoWhileStatement':
      return markBody(node['body'], marks);
    case 'IfStatement':
      markBody(node['consequent'], marks);
      return markBody(node['alternate'], marks);
    case 'SwitchCase': {
      const [first] = node['consequent'] as readonly Node[];
      return first === undefined ? undefined : marks.statement(first.start);
    }
    case 'ConditionalExpression':
      marks.expression(node['consequent'] as Node);
      return marks.expression(node['alternate'] as Node);
    case 'LogicalExpression':
    case 'AssignmentPattern':
      return marks.expression(node['right'] as Node);
    case 'AssignmentExpression':
      return ['??=', '||=', '&&='].includes(node['operator'] as string) ? marks.expression(node['right'] as Node) : undefined;
    default:
  }
}

function markBody(body: unknown, marks: Marks): void {
  if (!isNode(body)) return;
  if (body.type === 'BlockStatement' || body.type === 'FunctionBody') marks.statement(body.start + 1);
  else if (body.type.endsWith('Statement') || body.type.endsWith('Declaration')) marks.block(body);
  else marks.expression(body);
}
