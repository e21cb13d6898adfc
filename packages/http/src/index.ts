export { createRestApi, type AnswerFacts, type RestApi, type RestApiOptions } from './rest-api.ts';
export type { Issued, RevocationRecord, RevocationSink, TicketIssuer } from './port.ts';
export { openApi } from './openapi.ts';
