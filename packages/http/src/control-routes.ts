/** The routes by which back ends control who is connected: tickets, revocations, disconnections, rechecks. */

import type { Identity } from '@holdfast/server';
import { HoldfastError, type Json } from '@holdfast/wire';
import { assertControl } from './control-right.ts';
import { assertSome, fieldsOf } from './fields.ts';
import type { Answer, Route, RouteContext } from './route.ts';

function jsonBody(schema: string, required: boolean): Json {
  return { required, content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } } };
}

function jsonAnswer(description: string, schema: string): Json {
  return { description, content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } } };
}

const tickets: Route = {
  method: 'POST',
  path: '/v1/tickets',
  access: 'identity',
  query: [],
  operation: {
    operationId: 'issueTicket',
    summary: 'Get a one-time ticket',
    description:
      'A ticket stands wherever a token may, once and within seconds. Without a body it is for whoever asks. A back end with the right to `call` the method `holdfast/tickets` may get one for anybody who is no back end himself: `expiresAt` is then the end of the connection that the ticket opens.',
    tags: ['control'],
    requestBody: jsonBody('TicketRequest', false),
    responses: { 201: jsonAnswer('The ticket.', 'Ticket') },
  },
  handle: async (context): Promise<Answer> => {
    const { tickets: issuer } = context;
    if (issuer === undefined) throw new HoldfastError('UNKNOWN_METHOD', 'this server gives out no tickets');
    const { ticket, expiresAtMs } = await issuer.issue(await holderOf(context));
    return { status: 201, body: { ticket, expiresAt: expiresAtMs } };
  },
};

/** For whom the ticket is. */
async function holderOf(context: RouteContext): Promise<Identity> {
  const { hub, identity, isBackEnd } = context;
  const body = await context.json();
  const { subject, expiresAt, credentialId, claims } = fieldsOf(body, {
    subject: 'text',
    expiresAt: 'time',
    credentialId: 'text',
    claims: 'json',
  });
  if (subject === undefined) {
    if (expiresAt === undefined && credentialId === undefined && claims === undefined) return identity;
    throw new HoldfastError('BAD_FRAME', 'a ticket for somebody else needs a "subject"; one for yourself has no fields');
  }
  await assertControl(context, 'tickets');
  const holder: Identity = {
    subject,
    issuedAtMs: hub.services.clock.now(),
    ...(expiresAt === undefined ? {} : { expiresAtMs: expiresAt }),
    ...(credentialId === undefined ? {} : { credentialId }),
    ...(claims === undefined ? {} : { claims }),
  };
  // A key that may give out tickets must not make itself another one.
  if (isBackEnd(holder)) throw new HoldfastError('FORBIDDEN', `"${subject}" is a back end, which no ticket makes anybody`);
  return holder;
}

const revocations: Route = {
  method: 'POST',
  path: '/v1/revocations',
  access: 'back-end',
  query: [],
  operation: {
    operationId: 'revoke',
    summary: 'Take credentials back',
    description:
      'Those that meet all conditions given are refused from now on, and the connections that they opened are closed. At least one of `subject`, `credentialId` and `issuedBefore` is needed. `until` in the past gives back what was taken. Needs the right to `call` the method `holdfast/revocations`.',
    tags: ['control'],
    requestBody: jsonBody('RevocationRequest', true),
    responses: { 200: jsonAnswer('It is kept, and so many connections of this node were closed.', 'Disconnected') },
  },
  handle: async (context): Promise<Answer> => {
    await assertControl(context, 'revocations');
    const { hub, revocations: sink } = context;
    if (sink === undefined) throw new HoldfastError('UNKNOWN_METHOD', 'this server keeps no revocations');
    const table = { subject: 'text', credentialId: 'text', issuedBefore: 'time', until: 'time' } as const;
    const { subject, credentialId, issuedBefore, until } = fieldsOf(await context.json(), table);
    assertSome({ subject, credentialId, issuedBefore }, ['subject', 'credentialId', 'issuedBefore']);
    await sink.revoke({
      ...(subject === undefined ? {} : { subject }),
      ...(credentialId === undefined ? {} : { credentialId }),
      ...(issuedBefore === undefined ? {} : { issuedBeforeMs: issuedBefore }),
      ...(until === undefined ? {} : { untilMs: until }),
    });
    if (until !== undefined && until <= hub.services.clock.now()) return { status: 200, body: { connections: 0 } };
    return { status: 200, body: { connections: hub.disconnect({ subject, credentialId, issuedBeforeMs: issuedBefore }) } };
  },
};

const disconnections: Route = {
  method: 'POST',
  path: '/v1/disconnections',
  access: 'back-end',
  query: [],
  operation: {
    operationId: 'disconnect',
    summary: 'Close connections',
    description:
      'Closes the connections that fit all fields given, at least one. Their credentials stay good: clients get fresh ones and come back. Needs the right to `call` the method `holdfast/disconnections`.',
    tags: ['control'],
    requestBody: jsonBody('DisconnectionRequest', true),
    responses: { 200: jsonAnswer('So many connections of this node were closed.', 'Disconnected') },
  },
  handle: async (context): Promise<Answer> => {
    await assertControl(context, 'disconnections');
    const table = { subject: 'text', client: 'text', session: 'text', credentialId: 'text', issuedBefore: 'time' } as const;
    const fields = fieldsOf(await context.json(), table);
    assertSome(fields, Object.keys(table));
    const { issuedBefore, ...filter } = fields;
    return { status: 200, body: { connections: context.hub.disconnect({ ...filter, issuedBeforeMs: issuedBefore }) } };
  },
};

const rechecks: Route = {
  method: 'POST',
  path: '/v1/rechecks',
  access: 'back-end',
  query: [],
  operation: {
    operationId: 'recheck',
    summary: 'Ask rights again',
    description:
      'After a role was given or taken: the rights of all subscriptions of the subject, or of everybody, are asked again before anything more is sent to them. Needs the right to `call` the method `holdfast/rechecks`.',
    tags: ['control'],
    requestBody: jsonBody('RecheckRequest', false),
    responses: { 204: { description: 'They were asked.' } },
  },
  handle: async (context): Promise<Answer> => {
    await assertControl(context, 'rechecks');
    const { subject } = fieldsOf(await context.json(), { subject: 'text' });
    context.onRecheck(subject);
    await context.hub.recheck(subject);
    return { status: 204 };
  },
};

export const CONTROL_ROUTES: readonly Route[] = [tickets, revocations, disconnections, rechecks];
