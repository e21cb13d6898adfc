/** The client's observable state in React: all the binding that it takes. */

import { useSyncExternalStore } from 'react';
import type { Observable } from '@holdfast/client';

export function useObservable<T>(observable: Observable<T>): T {
  return useSyncExternalStore(observable.subscribe, observable.getSnapshot);
}
