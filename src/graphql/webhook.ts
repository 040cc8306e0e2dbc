import type { Config } from '../config.ts';
import { InvalidOptionsError } from '../domain/errors.ts';
import { type NewWebhook, WEBHOOK_SECRET_FORM, type Webhook, type WebhookState } from '../domain/webhooks.ts';
import { urlProblem } from '../webhooks/address.ts';
import { builder } from './builder.ts';
import { values } from './enums.ts';

const MAX_URL = 2_000;

const WebhookStateEnum = builder.enumType('WebhookState', {
  description: 'How far a delivery has got. The last two are final.',
  values: values<WebhookState>({
    WAITING: 'The job has not ended.',
    PENDING: 'It is being delivered, or will be tried again.',
    DELIVERED: 'The receiver took it: it answered 2xx.',
    FAILED: 'Given up: tried for three days, answered 410, or the address is not allowed.',
  }),
});

export const WebhookRef = builder.objectRef<Webhook>('Webhook').implement({
  description: "Who is told of the job's end, and how that goes.",
  fields: (t) => ({
    url: t.exposeString('url', { description: 'Where it goes.' }),
    state: t.expose('state', { type: WebhookStateEnum, description: 'How far it has got.' }),
    attempts: t.exposeInt('attempts', { description: 'How often it was tried.' }),
    nextAttemptAt: t.expose('nextAttemptAt', {
      type: 'DateTime',
      description: 'When it is tried again; null: at once, or not any more.',
      nullable: true,
    }),
    lastStatusCode: t.exposeInt('lastStatusCode', {
      description: 'What the receiver answered last; null: nothing.',
      nullable: true,
    }),
    lastError: t.exposeString('lastError', {
      description: 'Why the last attempt failed; null when it did not.',
      nullable: true,
    }),
    deliveredAt: t.expose('deliveredAt', {
      type: 'DateTime',
      description: 'When it was taken.',
      nullable: true,
    }),
  }),
});

export const WebhookInput = builder.inputType('WebhookInput', {
  description:
    'Posts one signed message (https://www.standardwebhooks.com) when the job has ended, again and again until it is taken.',
  fields: (t) => ({
    url: t.string({ required: true, description: 'Where to: a public https address.' }),
    secret: t.string({
      description:
        'What the message is signed with: `whsec_` and the base64 of 24 to 64 random bytes. Default: the WEBHOOK_SECRET of the server.',
    }),
  }),
});

/** The webhook that is asked for, or null. Throws InvalidOptionsError. */
export function checkedWebhook(
  input: { url: string; secret?: string | null | undefined } | null | undefined,
  config: Pick<Config, 'WEBHOOK_SECRET' | 'WEBHOOK_PRIVATE_HOSTS'>,
): NewWebhook | null {
  if (input == null) return null;
  const url = URL.parse(input.url);
  const problem =
    url === null || input.url.length > MAX_URL
      ? 'it is no address'
      : urlProblem(url, new Set(config.WEBHOOK_PRIVATE_HOSTS));
  if (url === null || problem !== null) {
    throw refuse('WEBHOOK_URL_REFUSED', `No webhook can be sent to that URL: ${problem}.`, {
      hint: 'Give a public https address, or have the host added to WEBHOOK_PRIVATE_HOSTS.',
    });
  }
  const secret = input.secret ?? config.WEBHOOK_SECRET;
  if (secret === undefined) {
    throw refuse('WEBHOOK_SECRET_MISSING', 'There is nothing to sign the webhook with.', {
      hint: 'Give `webhook.secret`, or set WEBHOOK_SECRET on the server.',
    });
  }
  if (!WEBHOOK_SECRET_FORM.test(secret)) {
    throw refuse('WEBHOOK_SECRET_INVALID', 'The secret of the webhook does not have the form it must have.', {
      hint: 'Make one with: echo whsec_$(openssl rand -base64 32)',
    });
  }
  return { url: url.href, secret };
}

const refuse = (code: string, message: string, { hint }: { hint: string }): InvalidOptionsError =>
  new InvalidOptionsError(code, message, { hint, details: { field: 'webhook' } });
