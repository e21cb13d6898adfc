/** Names and contents that must be on the disk before anything is said about them. */

import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Waits until a file's content is on the disk. */
export function syncFile(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Waits until the names in a directory are on the disk. Windows cannot be asked for that. */
export function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * Makes a directory and what is missing above it, and lets their names reach the disk: a file in a forgotten directory is
 * forgotten too. (Node's own recursive mkdir says ENOENT on a read-only file system, and never returns below /proc.)
 */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && isDirectory(directory)) return;
    if (code !== 'ENOENT' || dirname(directory) === directory) throw error;
    makeDirectory(dirname(directory));
    mkdirSync(directory);
  }
  syncDirectory(dirname(directory));
}

function isDirectory(path: string): boolean {
  return statSync(path).isDirectory();
}
