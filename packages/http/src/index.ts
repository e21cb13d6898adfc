export { createRestApi, type AnswerFacts, type RestApi, type RestApiOptions } from './rest-api.ts';
export type { Issued, RevocationRecord, RevocationSink, TicketIssuer } from './port.ts';
export { openApi } from './openapi.ts';
export { createWebhooks, type FailureMode, type WebhookFaultFacts, type Webhooks, type WebhooksOptions } from './webhooks.ts';
export type { FaultKind, WebhookFetch } from './webhook-caller.ts';
export type {
  ActionAnswer,
  ConnectAnswer,
  PublishAnswer,
  WebhookEvent,
  WebhookIdentity,
  WebhookItem,
  WebhookRequest,
} from './webhook-message.ts';
export { verifyWebhook, type VerifyWebhookOptions, type WebhookHeaders, type WebhookSecret } from './webhook-signature.ts';
