import { describeOutbox } from './outbox-conformance.testing.ts';
import { createMemoryOutbox } from './outbox-memory.ts';

describeOutbox('memory', () => {
  const store = createMemoryOutbox();
  return { open: () => store };
});
