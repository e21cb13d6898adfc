export { createFileOutbox, type FileOutboxOptions } from './outbox-file.ts';
