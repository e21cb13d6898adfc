import fc from 'fast-check';
import { expect, test } from 'vitest';
import { serveApi } from './rest-api.testing.ts';

const segment = fc.constantFrom(
  'v1',
  'topics',
  'chat',
  '42',
  'entries',
  'members',
  'tickets',
  'revocations',
  'rechecks',
  'openapi.json',
  '..',
  '.',
  '%2F',
  '%zz',
  '%00',
  '',
  '__proto__',
);
const path = fc.array(segment, { maxLength: 6 }).map((segments) => `/v1/${segments.join('/')}`);
const query = fc.constantFrom(
  '',
  '?',
  '?after=0',
  '?after=1e3',
  '?before=9007199254740993',
  '?limit=-1',
  '?__proto__=1',
  '?after[]=1',
  '?%',
);
const method = fc.constantFrom('GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'OPTIONS');
const type = fc.constantFrom(
  'application/json',
  'application/json; charset=utf-16',
  'text/plain',
  'multipart/form-data',
  '',
  ';',
  'application/x+json',
);
const body = fc.oneof(
  fc.json(),
  fc.string(),
  fc.constantFrom('{"subject":"a"}', '{"subject":null}', '{"__proto__":{}}', 'null', '[]', '{}'),
);
const header = fc.string({ maxLength: 20 }).map((text) => text.replace(/[^\x20-\x7e]/g, ''));

test('whatever is asked is answered with what it deserves, and nothing of it is a fault of the server', async () => {
  const api = await serveApi({
    tickets: { issue: () => ({ ticket: 't', expiresAtMs: 1 }) },
    revocations: { revoke: () => {} },
  });
  await fc.assert(
    fc.asyncProperty(path, query, method, type, body, header, fc.constantFrom('alice', 'server.one', ''), async (...given) => {
      const [where, what, how, contentType, text, key, as] = given;
      const headers = { 'content-type': contentType, 'idempotency-key': key, accept: key, origin: key };
      const hasBody = how !== 'GET' && how !== 'HEAD';
      const used = Object.fromEntries(
        Object.entries(headers).filter(([name, value]) => value.trim() !== '' && (name !== 'origin' || value.length > 15)),
      );
      const { status } = await api.ask(how, where + what, { as, headers: used, ...(hasBody ? { body: text } : {}) });
      // A path that `..` leads out of /v1 is another's: 418 here.
      expect(status === 418 || (status >= 200 && status < 500)).toBe(true);
    }),
    { numRuns: 500 },
  );
  expect(api.reported).toEqual([]);
  await api.close();
});
