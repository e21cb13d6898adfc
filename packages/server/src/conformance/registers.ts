/** Conformance of registers: newest value of each key, in order of revision (HF-7.7, HF-7.8). */

import assert from 'node:assert/strict';
import { MiniSequencer, WIDE } from './mini-sequencer.ts';
import type { StoreCase } from './harness.ts';

export const registerCases: readonly StoreCase[] = [
  {
    name: 'registers come back in order of revision, newest value only, also after a restart',
    run: async (harness) => {
      let store = await harness.open();
      try {
        const script = new MiniSequencer().found('a').found('b').register('a', 'read/ann', '3').register('a', 'read/bob', '1');
        await store.apply(script.register('a', 'read/ann', '5').register('b', 'read/ann', '"other topic"').take());
        await store.apply(script.register('a', 'title', '{"text":"żółć 🦆"}').register('a', 'read/bob', '7').take());
        for (const restarted of [false, true]) {
          if (restarted) store = await harness.reopen(store);
          assert.deepEqual(await store.registers('a', 0), [
            { key: 'read/ann', value: '5', revision: 3 },
            { key: 'title', value: '{"text":"żółć 🦆"}', revision: 4 },
            { key: 'read/bob', value: '7', revision: 5 },
          ]);
          assert.deepEqual(await store.registers('a', 3), [
            { key: 'title', value: '{"text":"żółć 🦆"}', revision: 4 },
            { key: 'read/bob', value: '7', revision: 5 },
          ]);
          assert.deepEqual(await store.registers('a', 5), []);
          assert.deepEqual(await store.registers('b', 0), [{ key: 'read/ann', value: '"other topic"', revision: 1 }]);
          assert.equal((await store.head('a'))?.revision, 5);
          assert.equal((await store.read('a', { after: 0 }, WIDE))?.revision, 5);
        }
        await store.apply(script.register('a', 'title', '1').take());
        assert.equal((await store.head('a'))?.revision, 6);
      } finally {
        await store.close();
      }
    },
  },
];
