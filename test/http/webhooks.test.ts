import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Api, openApi, table } from './api.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

let api: Api;
beforeEach(async () => {
  api = await openApi({ env: { WEBHOOK_PRIVATE_HOSTS: 'hooks.internal' } });
});
afterEach(() => api.close());

const start = (webhook: unknown) => api.start(table(), { targetColumn: 'y', webhook });

it('is asked for with the job and seen on it, its secret by nobody', async () => {
  const url = 'http://hooks.internal/done?job=1';
  const { job } = await start({ url, secret: SECRET });
  const asked = await api.ask<{ job: { webhook: unknown } }>(
    `query ($id: ID!) { job(id: $id) { webhook {
      url state attempts nextAttemptAt lastStatusCode lastError deliveredAt } } }`,
    { id: job?.id },
  );
  expect(asked.job.webhook).toEqual({
    url,
    state: 'WAITING',
    attempts: 0,
    nextAttemptAt: null,
    lastStatusCode: null,
    lastError: null,
    deliveredAt: null,
  });
  expect(api.logged.join('')).not.toContain(SECRET);
});

it.each([
  [{ url: 'http://example.com/', secret: SECRET }, 'WEBHOOK_URL_REFUSED'],
  [{ url: 'https://169.254.169.254/latest/', secret: SECRET }, 'WEBHOOK_URL_REFUSED'],
  [{ url: 'https://127.0.0.1:4000/graphql', secret: SECRET }, 'WEBHOOK_URL_REFUSED'],
  [{ url: 'not an address', secret: SECRET }, 'WEBHOOK_URL_REFUSED'],
  [{ url: `https://example.com/${'x'.repeat(3000)}`, secret: SECRET }, 'WEBHOOK_URL_REFUSED'],
  [{ url: 'https://example.com/' }, 'WEBHOOK_SECRET_MISSING'],
  [{ url: 'https://example.com/', secret: 'hunter2' }, 'WEBHOOK_SECRET_INVALID'],
])('%j is refused with %s, before the file is read', async (webhook, code) => {
  const answer = await start(webhook);
  expect(answer).toMatchObject({ __typename: 'InvalidOptionsError', code, field: 'webhook' });
  expect((await api.rig.jobs.listDatasets({ limit: 1 })).rows).toEqual([]);
});
