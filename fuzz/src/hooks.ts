/** Module hooks of Node: built modules of the packages get counters, and a fault where one is planted. Runs in the loader's thread. */

import type { LoadHook } from 'node:module';
import type { Fault } from './faults.ts';
import { plant } from './faults.ts';
import { instrument } from './instrument.ts';

export interface HookOptions {
  readonly fault: Fault | undefined;
}

let fault: Fault | undefined;

export function initialize(options: HookOptions): void {
  fault = options.fault;
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const [, room, file] = /\/packages\/([^/]+)\/dist\/([^/?]+)\.js$/.exec(url) ?? [];
  if (room === undefined || file === undefined || loaded.source === undefined || loaded.source === null) return loaded;
  const name = `packages/${room}/${file}`;
  const text = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
  return { ...loaded, source: instrument(name, fault?.module === name ? plant(text, fault) : text).code };
};
