import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

/** Uploads a file and queues a job over the public API. */
export async function uploadAndStart(
  url: string,
  file: string,
  input: Record<string, unknown>,
): Promise<{ jobId: string; seconds: number }> {
  const form = new FormData();
  form.set(
    'operations',
    JSON.stringify({
      query:
        'mutation ($input: StartTrainingInput!) { startTraining(input: $input) { __typename ... on Error { code message } ... on StartTrainingSuccess { job { id } } } }',
      variables: { input: { ...input, file: null } },
    }),
  );
  form.set('map', JSON.stringify({ 0: ['variables.input.file'] }));
  form.set('0', await openAsBlob(file), basename(file));
  const started = performance.now();
  const response = await fetch(url, {
    method: 'POST',
    body: form,
    headers: { 'x-graphql-yoga-csrf': '1', accept: 'application/json' },
  });
  const answer = (await response.json()) as {
    data?: { startTraining?: { job?: { id: string } } };
  };
  const jobId = answer.data?.startTraining?.job?.id;
  if (jobId === undefined) throw new Error(`startTraining: ${JSON.stringify(answer)}`);
  return { jobId, seconds: (performance.now() - started) / 1000 };
}

export interface WatchedUpdate {
  sequence: number;
  job: {
    status: string;
    result: { validationScore: number; holdoutScore: number | null; baselineScore: number } | null;
    failure: { code: string; message: string } | null;
  };
  event: {
    __typename: string;
    at: string;
    tool?: string;
    step?: string;
    fitSeconds?: number;
    seconds?: number;
  } | null;
}

/** Every update of a job from its first event, with the milliseconds (performance.now) at which it arrived. */
export async function* watch(
  url: string,
  jobId: string,
): AsyncGenerator<WatchedUpdate & { arrived: number }> {
  const client = createClient({ url: url.replace(/^http/, 'ws'), webSocketImpl: WebSocket });
  try {
    const updates = client.iterate<{ jobUpdated: WatchedUpdate }>({
      query: `subscription ($id: ID!) { jobUpdated(id: $id, after: 0) { sequence
        job { status result { validationScore holdoutScore baselineScore } failure { code message } }
        event { __typename at ... on StepStarted { tool step } ... on StepFinished { tool step seconds } ... on TrialFinished { fitSeconds } } } }`,
      variables: { id: jobId },
    });
    for await (const update of updates) {
      if (update.errors || !update.data) throw new Error(JSON.stringify(update.errors));
      yield { ...update.data.jobUpdated, arrived: performance.now() };
    }
  } finally {
    await client.dispose();
  }
}
