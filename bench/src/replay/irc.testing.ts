/** Makes an IRC log in the format of the real ones: the same seed gives the same log. */

import { between, pick, seededRandom } from './chance.ts';

const WORDS = [
  'kernel',
  'sudo',
  'apt-get',
  'does',
  'not',
  'work',
  'ünïcödé',
  '<b>',
  '"quoted"',
  '\\back',
  'why?',
  ':)',
  '\u0003colour',
  '日本',
  'a\u2028b',
  '🙂',
];
const NICKS = ['crimsun', '|QuaD-', '[unix]', 'EriC^^', '`Fibz`', 'dave', 'Dave', 'dave_', 'x~y', 'Alex[RM-UK] '];

export function ircLog(seed: number, lineCount: number): string {
  const random = seededRandom(seed);
  const nicks = [...NICKS, ...Array.from({ length: 30 }, (_, index) => `guest${index}`)];
  const lines = Array.from({ length: lineCount }, (_, index) => {
    const time = `${String(Math.floor(index / 60) % 24).padStart(2, '0')}:${String(index % 60).padStart(2, '0')}`;
    const nick = pick(random, nicks);
    const text = Array.from({ length: between(random, 0, 12) }, () => pick(random, WORDS)).join(' ');
    const chance = random();
    if (chance < 0.1) return `=== ${nick} [~user@host]  has joined #ubuntu`;
    if (chance < 0.14) return `=== ${nick} [~user@host]  has left #ubuntu ["Leaving"]`;
    if (chance < 0.17) return `=== ${nick.trim()} is now known as ${pick(random, nicks).trim()}`;
    if (chance < 0.19) return `=== mode/#ubuntu [+o ${nick}]  by ChanServ`;
    if (chance < 0.22) return `[${time}]  * ${nick.trim()} ${text}`;
    return `[${time}] <${nick}> ${text}`;
  });
  return `${lines.join('\n')}\n`;
}
