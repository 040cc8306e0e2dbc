import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { messageOf, SproutError } from '../domain/errors.ts';
import { isTerminal } from '../domain/vocabulary.ts';
import { DOCUMENTS } from './documents.ts';
import { ConnectionLostError, graphQLError, UnreadableAnswerError } from './errors.ts';
import { ANSWERS, type JobUpdate } from './wire.ts';

export interface Following {
  /** The last sequence already seen; 0 replays the job from its first event. */
  after: number;
  signal?: AbortSignal;
  /** Of the kind `Bearer …`, for a server that asks who we are. */
  authorization?: string;
  /** How long to try without hearing anything before giving up; a server restarts in less. Default 60 s. */
  patienceMs?: number;
  onReconnecting?(reason: string): void;
}

const PATIENCE_MS = 60_000;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;
const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 5_000;
// The server understood us and refuses: asking again would bring the same answer.
const REFUSALS: ReadonlySet<number> = new Set([4400, 4401, 4403, 4406]);

/**
 * The updates of a job: first the job as it is now (event null), then every event after `after`, each once and in order,
 * over as many connections as it takes. Returns when the job has ended and its last event is out, or on `signal`.
 * Rejects with SERVER_UNREACHABLE when patience runs out, and with the server's own coded errors.
 */
export async function* followJob(
  endpoint: URL,
  jobId: string,
  { after, signal, authorization, patienceMs = PATIENCE_MS, onReconnecting }: Following,
): AsyncGenerator<JobUpdate> {
  let seen = after;
  let introduced = false;
  let ended = false;
  let waitMs = FIRST_WAIT_MS;
  let givingUpAt = Date.now() + patienceMs;

  while (!signal?.aborted) {
    let reason: string;
    try {
      for await (const update of oneConnection(endpoint, jobId, { after: seen, signal, authorization })) {
        givingUpAt = Date.now() + patienceMs;
        ended ||= isTerminal(update.job.status);
        if (update.event === null) {
          if (introduced) continue;
          introduced = true;
        } else {
          if (update.event.sequence <= seen) continue;
          seen = update.event.sequence;
          waitMs = FIRST_WAIT_MS;
        }
        yield update;
      }
      if (ended) return;
      reason = 'the server ended the subscription before the job ended';
    } catch (error) {
      if (error instanceof SproutError) throw error;
      reason = reasonOf(error);
    }
    if (signal?.aborted) return;
    if (Date.now() + waitMs > givingUpAt) throw new ConnectionLostError(endpoint, jobId, reason);
    onReconnecting?.(reason);
    await sleep(waitMs);
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
  }
}

async function* oneConnection(
  endpoint: URL,
  jobId: string,
  {
    after,
    signal,
    authorization,
  }: { after: number; signal: AbortSignal | undefined; authorization: string | undefined },
): AsyncGenerator<JobUpdate> {
  const url = new URL(endpoint);
  url.protocol = endpoint.protocol === 'https:' ? 'wss:' : 'ws:';
  let pongDue: NodeJS.Timeout | undefined;
  const client = createClient({
    url: url.href,
    ...(authorization === undefined ? {} : { connectionParams: { authorization } }),
    // Reconnecting is ours: the client's own would ask again with the cursor of the first time.
    retryAttempts: 0,
    connectionAckWaitTimeout: PONG_WITHIN_MS,
    keepAlive: PING_EVERY_MS,
    on: {
      ping: (received) => {
        if (!received) pongDue = setTimeout(() => client.terminate(), PONG_WITHIN_MS);
      },
      pong: (received) => {
        if (received) clearTimeout(pongDue);
      },
    },
  });
  const leave = () => client.terminate();
  signal?.addEventListener('abort', leave, { once: true });
  try {
    const variables = { id: jobId, after };
    for await (const result of client.iterate({ query: DOCUMENTS.jobUpdated, variables })) {
      if (result.errors?.[0]) throw graphQLError(result.errors[0]);
      const parsed = ANSWERS.jobUpdated.safeParse(result.data);
      if (!parsed.success) throw new UnreadableAnswerError(endpoint, parsed.error);
      yield parsed.data.jobUpdated;
    }
  } catch (error) {
    if (Array.isArray(error) && error[0]) throw graphQLError(error[0]);
    if (isCloseEvent(error) && REFUSALS.has(error.code)) {
      throw new SproutError('SUBSCRIPTION_REFUSED', `${endpoint.host} refuses: ${reasonOf(error)}.`);
    }
    throw error;
  } finally {
    clearTimeout(pongDue);
    signal?.removeEventListener('abort', leave);
    await client.dispose();
  }
}

const isCloseEvent = (error: unknown): error is { code: number; reason: string } =>
  typeof error === 'object' && error !== null && 'code' in error && 'reason' in error;

/** The client throws errors, close events and error events alike. */
function reasonOf(error: unknown): string {
  if (isCloseEvent(error)) return `socket closed with ${error.code}${error.reason ? ` ${error.reason}` : ''}`;
  if (error instanceof Error) return messageOf(error);
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' && message !== '' ? message : 'the connection failed';
}
