/**
 * Which modules count for a target: those that a stranger can reach through it. Known before any of them is loaded, so that this file
 * imports nothing.
 */

const SCOPES: Readonly<Record<string, readonly string[]>> = {
  'text-frames': [
    'packages/server/',
    '!packages/server/websocket',
    '!packages/server/listen',
    '!packages/server/tls',
    '!packages/server/origin',
    '!packages/server/outflow',
    '!packages/server/client-address',
    '!packages/server/actor',
    '!packages/server/store-error',
    'packages/wire/binary',
    'packages/wire/client-frames',
    'packages/wire/server-session',
    'packages/wire/json',
    'packages/wire/shape',
  ],
  'binary-frames': ['packages/wire/', '!packages/wire/backoff', '!packages/wire/limits', '!packages/wire/client-code-texts'],
  'client-frames': [
    'packages/client/',
    '!packages/client/channel',
    '!packages/client/message-source',
    '!packages/client/socket',
    '!packages/client/lifecycle',
    '!packages/client/outbox-indexeddb',
    '!packages/client/outbox-file',
    '!packages/client/status',
    'packages/wire/server-frames',
    'packages/wire/client-session',
  ],
  http: [
    'packages/http/',
    '!packages/http/webhook',
    '!packages/http/grant-cache',
    'packages/ops/health',
    'packages/ops/metrics',
    'packages/ops/operations-handler',
  ],
  upgrade: [
    'packages/server/websocket',
    'packages/server/origin',
    'packages/server/client-address',
    'packages/server/outflow',
    'packages/server/admission',
    'packages/server/plain',
    'packages/server/connection',
  ],
  tokens: ['packages/auth/', '!packages/auth/remote-key-set', '!packages/auth/signing'],
};

/** What the names of the modules begin with, as `packages/wire/`; after `!`, of those that do not count. None for a target that there is not. */
export function scopeOf(target: string): readonly string[] {
  return SCOPES[target] ?? [];
}

/** Whether a module is in a scope. */
export function isInScope(name: string, scope: readonly string[]): boolean {
  return scope.some((begin) => name.startsWith(begin)) && !scope.some((begin) => begin.startsWith('!') && name.startsWith(begin.slice(1)));
}
