import { simulate } from './simulation.ts';
const seed0 = Number(process.argv[2] ?? 1), n = Number(process.argv[3] ?? 1);
const t0 = Date.now(); let events = 0;
for (let seed = seed0; seed < seed0 + n; seed++) {
  const o = await simulate({ seed, steps: Number(process.argv[5] ?? 300), print: process.argv[4] === 't' ? (l) => console.log(l) : undefined });
  events += o.eventCount;
  if (o.violation || n < 5) console.log(o.seed, o.violation, o.eventCount, o.lastedMs, o.digest);
}
console.log(events, Date.now() - t0);
