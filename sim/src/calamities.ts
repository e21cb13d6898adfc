/**
 * Everything that can go wrong, with its settings: how often, how long, how badly. A person chooses among them on the
 * command line (`selection.ts`); a profile draws what is left open (`profile.ts`); `weather.ts` carries them out.
 */

/** A number that is drawn anew for each strike: as likely between 1 and 10 as between 10 and 100. */
export interface Setting {
  readonly unit: string;
  readonly min: number;
  readonly max: number;
}

/** One calamity. */
export interface Kind {
  /** What it does, for people. */
  readonly does: string;
  /** Its own settings, beside `share`, `times`, `everyMs` and `lastsMs`. */
  readonly settings?: Readonly<Record<string, Setting>>;
  /** It ends by itself after `lastsMs`, or when the faults stop. */
  readonly lasts?: true;
  /** In which share of the runs it comes. Default: `USUAL_SHARE`. */
  readonly share?: number;
}

/** Most are left out of most runs: runs with fewer kinds reach states that a run with all of them never does (Groce et al., 2012). */
export const USUAL_SHARE = 0.3;
/** Those that end epochs, forget producers or take rights make refusals legal, and so hide faults: they are seldom. */
const SELDOM = 0.05;

export const CALAMITY_NAMES = [
  'cut',
  'half-open',
  'outage',
  'slow-link',
  'delayed-close',
  'reset-close',
  'server-killed',
  'server-without-power',
  'killed-at-commit',
  'killed-at-await',
  'server-frozen',
  'deploy',
  'commit-failed',
  'commit-answer-lost',
  'slow-disk',
  'reading-failed',
  'disk-wiped',
  'restored-from-backup',
  'topic-deleted',
  'history-cut',
  'device-killed',
  'page-reload',
  'tab-death',
  'cloned-store',
  'device-frozen',
  'outbox-trouble',
  'slow-reader',
  'withheld-credit',
  'clock-jump',
  'token-expiry',
  'credentials-revoked',
  'membership-revoked',
  'members-hidden',
  'rights-asked-again',
] as const;

/** The name of a calamity, as on the command line. */
export type Calamity = (typeof CALAMITY_NAMES)[number];

export const CALAMITIES: Readonly<Record<Calamity, Kind>> = {
  cut: { does: 'a connection breaks; both sides learn of it within some latencies' },
  'half-open': { does: 'a connection breaks; a side learns of it perhaps never, but by its heartbeat' },
  outage: { does: "a device's connections break, new ones are refused or swallowed", lasts: true },
  'slow-link': {
    does: "a device's link carries little",
    settings: { bytesPerMs: { unit: 'bytes a ms', min: 0.2, max: 20 } },
    lasts: true,
  },
  'delayed-close': {
    does: 'close frames are held up on their way',
    settings: { delayMs: { unit: 'ms', min: 100, max: 60_000 } },
    lasts: true,
  },
  'reset-close': {
    does: 'whoever closes resets: the other side gets a beginning of what was under way, no code and no reason',
    lasts: true,
  },
  'server-killed': { does: 'the process dies; its peers hear of it', lasts: true },
  'server-without-power': { does: 'the machine dies; nobody hears of it', lasts: true },
  'killed-at-commit': {
    does: 'the process dies at its next commit: decided and not stored, stored and not answered, or answered and not acknowledged',
    lasts: true,
  },
  'killed-at-await': {
    does: 'the process dies between two events, counted from now on',
    settings: { events: { unit: 'events', min: 1, max: 300 } },
    lasts: true,
  },
  'server-frozen': { does: 'the process stands still, its clock goes on', lasts: true },
  deploy: {
    does: '`goaway`, up to the drain time, close, a new process',
    settings: { drainMs: { unit: 'ms', min: 1, max: 60_000 } },
    lasts: true,
  },
  'commit-failed': {
    does: 'commits fail, and nothing of them is stored',
    settings: { percent: { unit: '% of commits', min: 5, max: 100 } },
    lasts: true,
  },
  'commit-answer-lost': {
    does: 'commits are stored, and said to have failed',
    settings: { percent: { unit: '% of commits', min: 5, max: 100 } },
    lasts: true,
  },
  'slow-disk': {
    does: 'commits and readings take many times as long',
    settings: { factor: { unit: 'times', min: 2, max: 50 } },
    lasts: true,
  },
  'reading-failed': {
    does: 'calls of the store that are no commits fail',
    settings: { percent: { unit: '% of calls', min: 5, max: 60 } },
    lasts: true,
  },
  'disk-wiped': { does: 'the server comes back on an empty disk: every epoch ends', lasts: true, share: SELDOM },
  'restored-from-backup': {
    does: 'the server comes back on an older copy of its disk, every topic under a new epoch',
    settings: { ageMs: { unit: 'ms', min: 10, max: 30_000 } },
    lasts: true,
    share: SELDOM,
  },
  'topic-deleted': { does: 'one epoch ends', share: SELDOM },
  'history-cut': {
    does: 'topics keep their newest entries only, whoever sleeps',
    settings: { entries: { unit: 'entries', min: 3, max: 40 } },
    share: 0.15,
  },
  'device-killed': { does: 'the process dies, in three of ten cases with its machine', lasts: true },
  'page-reload': { does: 'the process dies, and the next one opens the same outbox at once' },
  'tab-death': {
    does: 'two devices are tabs of one browser: one dies, and the other takes over its rows, or it finds them when it is back',
    lasts: true,
    share: 0.15,
  },
  'cloned-store': {
    does: "a device's outbox, name and producers are copied to a second device of the same person, or of another, which uses them too",
    lasts: true,
    share: SELDOM,
  },
  'device-frozen': { does: 'the process stands still, its clock goes on', lasts: true },
  'outbox-trouble': {
    does: "a device's outbox fails to write, with nothing or all of it stored",
    settings: { percent: { unit: '% of writes', min: 10, max: 100 } },
    lasts: true,
  },
  'slow-reader': {
    does: 'a consumer takes long over each item',
    settings: { itemMs: { unit: 'ms', min: 50, max: 20_000 } },
    lasts: true,
  },
  'withheld-credit': {
    does: 'a stranger subscribes to everything, gives little credit or none, and reads slowly',
    settings: { entries: { unit: 'entries', min: 0, max: 8 } },
    lasts: true,
  },
  'clock-jump': {
    does: 'a wall clock is set ahead or back',
    settings: { jumpMs: { unit: 'ms', min: 10, max: 7_200_000 } },
  },
  'token-expiry': {
    does: 'credentials end soon after they are given; devices show new ones, or are closed and come back',
    settings: { validMs: { unit: 'ms', min: 20, max: 20_000 } },
    lasts: true,
  },
  'credentials-revoked': { does: 'all connections of a subject lose their credentials', share: 0.15 },
  'membership-revoked': {
    does: 'a subject loses the right to read a topic, to publish to it, or both, at once or at a time; it comes back, in half of the cases from a floor on',
    lasts: true,
    share: 0.1,
  },
  'members-hidden': { does: 'a subject may not see who is on a topic (`presence: false`)', lasts: true, share: 0.15 },
  'rights-asked-again': { does: '`hub.recheck()`' },
};

/** What every calamity can be told; `lastsMs` those that last. */
export const COMMON_SETTINGS: Readonly<Record<string, Setting & { readonly says: string }>> = {
  share: { unit: 'of the runs', min: 0, max: 1, says: 'in which share of the runs it comes; named with --only: all' },
  times: { unit: 'times a run', min: 1, max: 4, says: 'how often it strikes in a run' },
  everyMs: { unit: 'ms', min: 1, max: Infinity, says: 'instead of `times`: how far apart it strikes, on average' },
  lastsMs: { unit: 'ms', min: 20, max: 60_000, says: 'how long it lasts, on average; left open: one mean for all calamities of the run' },
};

/** The setting of a calamity by its name, its own or a common one. */
export function settingOf(kind: Calamity, name: string): Setting | undefined {
  const own = CALAMITIES[kind].settings?.[name];
  if (own !== undefined) return own;
  if (name === 'lastsMs' && CALAMITIES[kind].lasts !== true) return undefined;
  return COMMON_SETTINGS[name];
}
