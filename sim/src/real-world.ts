/** Keeps the real world out of a simulation: while it runs, whoever reads the machine's clock, chance or timers is stopped and told on. */

const FORBIDDEN = [
  [Date, 'now'],
  [Math, 'random'],
  [performance, 'now'],
  [globalThis, 'setTimeout'],
  [globalThis, 'setInterval'],
] as const;

/** Replaces them until `restore`, which throws if one was called. */
export function forbidRealWorld(): { restore(): void } {
  const calls: string[] = [];
  const originals = FORBIDDEN.map(([home, name]) => {
    const original: unknown = Reflect.get(home, name);
    Reflect.set(home, name, () => {
      calls.push(name);
      throw new Error(`a simulation called the real ${name}`);
    });
    return () => Reflect.set(home, name, original);
  });
  return {
    restore: () => {
      for (const restore of originals) restore();
      if (calls.length > 0) throw new Error(`a simulation called the real ${[...new Set(calls)].join(', ')}`);
    },
  };
}
