export type { Batch, DecidedPublish, Entry, Head, Outcome, Page, PageLimits, Payload, ProducerMemory, Range, Register, Retention, TopicStore } from './store.ts';
