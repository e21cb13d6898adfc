#!/usr/bin/env node
// A file that is there before anything is built: npm links commands when it installs, and skips what it does not find.
import '../dist/main.js';
