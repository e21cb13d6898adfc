/**
 * The OpenAPI description of the REST API, docs/reference/openapi.json, made from the built package `http`, whose routes it
 * describes. Without an argument the file is written; `--check` changes nothing and fails if it is another.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { conclude, isMain, root } from './workspace.mjs';

const FILE = 'docs/reference/openapi.json';

async function main() {
  const built = join(root, 'packages/http/dist/index.js');
  if (!existsSync(built)) return conclude(['packages/http is not built: npm run build'], '');
  const { openApi } = await import(pathToFileURL(built).href);
  const description = openApi();
  const text = `${JSON.stringify(description, null, 2)}\n`;
  const path = join(root, FILE);
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
    return conclude([`${FILE} is not what the routes say: node scripts/openapi.mjs`], '');
  }
  const operations = Object.values(description.paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0);
  return conclude([], `${operations} operations on ${Object.keys(description.paths).length} paths`);
}

if (isMain(import.meta)) await main();
