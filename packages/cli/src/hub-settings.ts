/** From settings to what the hub and its paths take. */

import type { BeforePublish, EndpointOptions, HubOptions, LimitChanges, RetentionRule } from '@holdfast/server';
import { chatHandler } from './chat-handler.ts';
import type { AuthMode } from './gate.ts';
import { SETTING_KEYS, type LimitSettings, type PathSetting, type RetainSetting, type Settings } from './settings.ts';

const LIMIT_PREFIX = 'limits.';

/** Topics, limits and times. */
export function hubOptionsOf(
  settings: Settings,
  beforePublish?: BeforePublish,
): Pick<HubOptions, 'topics' | 'limits' | 'heartbeatMs' | 'presenceGraceMs'> {
  const { 'retain.count': count, 'retain.age': age, 'retain.bytes': bytes } = settings;
  const retain: RetainSetting = {
    ...(count === undefined ? {} : { count }),
    ...(age === undefined ? {} : { age }),
    ...(bytes === undefined ? {} : { bytes }),
  };
  return {
    topics: settings.topics.map((rule) => ({
      pattern: rule.pattern,
      retention: retentionOf(rule.retain ?? retain),
      ...(beforePublish === undefined ? {} : { beforePublish }),
    })),
    limits: limitsOf(settings),
    heartbeatMs: settings.heartbeat,
    presenceGraceMs: settings.presenceGrace,
  };
}

/** The paths without their hooks. */
export function pathsOf({ paths }: Settings, mode: AuthMode): Readonly<Record<string, EndpointOptions>> {
  const defaults: Record<string, PathSetting> = {
    '/': {},
    '/realtime': {},
    ...(mode === 'development' ? { '/plain': { plainChat: true } } : {}),
  };
  const entries = Object.entries(paths ?? defaults).map(([path, { topics, plainChat }]) => {
    const options: EndpointOptions = { ...(topics === undefined ? {} : { topics }), ...(plainChat === true ? { plain: chatHandler } : {}) };
    return [path, options] as const;
  });
  return Object.fromEntries(entries);
}

/** Whose pages may connect. */
export function originsOf({ origins }: Settings): readonly string[] | 'any' {
  return origins.includes('any') ? 'any' : origins;
}

function retentionOf({ count, age, bytes }: RetainSetting): RetentionRule {
  return {
    ...(count === undefined ? {} : { countMax: count }),
    ...(age === undefined ? {} : { ageMaxMs: age }),
    ...(bytes === undefined ? {} : { bytesMax: bytes }),
  };
}

function limitsOf(settings: Settings): LimitChanges {
  const keys = SETTING_KEYS.filter((key): key is keyof LimitSettings => key.startsWith(LIMIT_PREFIX));
  return Object.fromEntries(keys.map((key) => [key.slice(LIMIT_PREFIX.length), settings[key]]));
}
