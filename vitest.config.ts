/** Tests run on the packages' sources (`@holdfast/source`), so that a failure names a line of TypeScript. */

import { defineConfig } from 'vitest/config';

const conditions = ['@holdfast/source'];

export default defineConfig({
  resolve: { conditions: [...conditions, 'module', 'node', 'development|production'] },
  ssr: { resolve: { conditions: [...conditions, 'module', 'node', 'development|production'] } },
  test: {
    include: [
      '{packages,apps}/*/src/**/*.test.{ts,tsx}',
      '{sim,fuzz,bench}/src/**/*.test.ts',
      'examples/**/*.test.ts',
      'scripts/**/*.test.mjs',
    ],
    // A bound for hung tests, not a timed assertion: two shared cores can be very slow.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    restoreMocks: true,
    passWithNoTests: false,
  },
});
