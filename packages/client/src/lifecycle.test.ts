import { afterEach, expect, it, vi } from 'vitest';
import { appLifecycle, pageLifecycle, type LifecycleHint } from './lifecycle.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

it('a page tells when it is shown, resumed, online or offline, until it is told to stop', () => {
  const target = new EventTarget();
  const document = { visibilityState: 'hidden' };
  vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
  vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target));
  vi.stubGlobal('document', document);
  const told: LifecycleHint[] = [];
  const stop = pageLifecycle()!((hint) => told.push(hint));
  const all = ['visibilitychange', 'pageshow', 'resume', 'online', 'offline'];
  for (const type of all) target.dispatchEvent(new Event(type));
  expect(told).toEqual(['wake', 'wake', 'online', 'offline']);
  document.visibilityState = 'visible';
  target.dispatchEvent(new Event('visibilitychange'));
  expect(told.at(-1)).toBe('wake');
  stop();
  for (const type of all) target.dispatchEvent(new Event(type));
  expect(told).toHaveLength(5);
});

it('a platform without such events has no lifecycle', () => {
  vi.stubGlobal('addEventListener', undefined);
  expect(pageLifecycle()).toBeUndefined();
});

it('an app in React Native wakes up when it is active', () => {
  let change: (state: string) => void = () => {};
  let isRemoved = false;
  const told: LifecycleHint[] = [];
  const stop = appLifecycle({
    addEventListener: (_type, listener) => {
      change = listener;
      return {
        remove: () => {
          isRemoved = true;
        },
      };
    },
  })((hint) => told.push(hint));
  for (const state of ['inactive', 'background', 'active']) change(state);
  stop();
  expect([told, isRemoved]).toEqual([['wake'], true]);
});
