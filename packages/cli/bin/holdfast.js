#!/usr/bin/env node
// A file that is there before anything is built: npm links commands when it installs, and skips what it does not find.
import { existsSync } from 'node:fs';

const program = new URL('../dist/main.js', import.meta.url);
if (existsSync(program)) await import(program.href);
else {
  console.error('holdfast is not built in this clone: run "npm start" or "npm run build" first.');
  process.exitCode = 1;
}
