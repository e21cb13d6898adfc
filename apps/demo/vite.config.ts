/** Builds the demo straight from the packages' sources; `vite` (development) passes WebSockets on to a server on port 8080. */

import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  resolve: { conditions: ['@holdfast/source', ...defaultClientConditions] },
  build: { target: 'es2022' },
  server: {
    // Vite's own socket and every page stay with vite.
    proxy: {
      '/': {
        target: 'ws://127.0.0.1:8080',
        ws: true,
        bypass: ({ headers, url }) => (headers['sec-websocket-protocol'] === 'holdfast.v1' ? undefined : url),
      },
    },
  },
});
