/**
 * The well-known symbols that some engines lack (Hermes): their compilers use these names in place of them. Methods of
 * these names are defined from outside the class, where the symbol may be missing.
 */

export const ASYNC_ITERATOR: symbol | string = Symbol.asyncIterator ?? '@@asyncIterator';
export const ASYNC_DISPOSE: symbol | string = Symbol.asyncDispose ?? '@@asyncDispose';

export function defineMethod<T extends object>(prototype: T, key: symbol | string, method: (this: T) => unknown): void {
  Object.defineProperty(prototype, key, { value: method, configurable: true, writable: true });
}
