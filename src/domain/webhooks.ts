import type { JobId } from './ids.ts';

/** `whsec_` and the base64 of 24 to 64 bytes: https://github.com/standard-webhooks/standard-webhooks */
export const WEBHOOK_SECRET_FORM =
  /^whsec_(?:[A-Za-z0-9+/]{4}){8,21}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export const WEBHOOK_STATES = ['WAITING', 'PENDING', 'DELIVERED', 'FAILED'] as const;
export type WebhookState = (typeof WEBHOOK_STATES)[number];

/** Who is to be told of a job's end. */
export interface NewWebhook {
  url: string;
  secret: string;
}

/** How far the telling has got. */
export interface Webhook {
  jobId: JobId;
  url: string;
  state: WebhookState;
  attempts: number;
  /** While PENDING: not before. */
  nextAttemptAt: Date | null;
  lastStatusCode: number | null;
  lastError: string | null;
  deliveredAt: Date | null;
}
