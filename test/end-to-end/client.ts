import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type AnyVariables, Client, fetchExchange, gql } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

/**
 * The product as its users meet it: urql for operations and uploads, graphql-ws for live updates, curl for downloads.
 * Nothing of ours is in between.
 */
export class ApiUser {
  readonly #url: string;
  readonly #urql: Client;

  constructor(url: string) {
    this.#url = url;
    this.#urql = new Client({
      url,
      exchanges: [fetchExchange],
      preferGetMethod: false,
      fetchOptions: { headers: { 'x-graphql-yoga-csrf': '1' } },
    });
  }

  async query<T>(document: string, variables: AnyVariables = {}): Promise<T> {
    const answer = await this.#urql.query<T>(gql(document), variables, { requestPolicy: 'network-only' });
    if (answer.error) throw answer.error;
    if (!answer.data) throw new Error('no data');
    return answer.data;
  }

  async mutate<T>(document: string, input: Record<string, unknown>): Promise<T> {
    const answer = await this.#urql.mutation<T>(gql(document), { input });
    if (answer.error) throw answer.error;
    if (!answer.data) throw new Error('no data');
    return answer.data;
  }

  async start(csv: string | Buffer, input: Record<string, unknown>): Promise<StartAnswer> {
    const file = new File([new Uint8Array(Buffer.from(csv))], 'table.csv', { type: 'text/csv' });
    const data = await this.mutate<{ startTraining: StartAnswer }>(
      `mutation ($input: StartTrainingInput!) { startTraining(input: $input) {
        __typename ... on Error { code message hint } ... on StartTrainingSuccess { job { id status } } } }`,
      { ...input, file },
    );
    return data.startTraining;
  }

  async startJob(csv: string | Buffer, input: Record<string, unknown>): Promise<string> {
    const answer = await this.start(csv, input);
    if (!answer.job) throw new Error(`not started: ${JSON.stringify(answer)}`);
    return answer.job.id;
  }

  async job(id: string): Promise<JobState> {
    const { job } = await this.query<{ job: JobState }>(
      `query ($id: ID!) { job(id: $id) { ${JOB_FIELDS} } }`,
      { id },
    );
    return job;
  }

  async cancel(id: string): Promise<{ __typename: string; code?: string }> {
    const data = await this.mutate<{ cancelJob: { __typename: string; code?: string } }>(
      'mutation ($input: CancelJobInput!) { cancelJob(input: $input) { __typename ... on Error { code message } } }',
      { jobId: id },
    );
    return data.cancelJob;
  }

  /** Live updates after `after` until the job has ended, the loop is left or the server goes away (which throws). */
  async *watch(id: string, after = 0): AsyncGenerator<JobUpdate> {
    const client = createClient({
      url: this.#url.replace(/^http/, 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
    });
    try {
      const updates = client.iterate<{ jobUpdated: JobUpdate }>({
        query: `subscription ($id: ID!, $after: Int) { jobUpdated(id: $id, after: $after) { sequence job { ${JOB_FIELDS} }
          event { __typename sequence at stage agent message ... on StepStarted { step tool agentRun } ... on StepFinished { step tool ok agentRun }
            ... on StatusChanged { from to } ... on TrialFinished { name family score } } } }`,
        variables: { id, after },
      });
      for await (const { data, errors } of updates) {
        if (!data || errors) throw new Error(JSON.stringify(errors));
        yield data.jobUpdated;
      }
    } finally {
      await client.dispose();
    }
  }

  /** Every update until the end. */
  async untilEnded(id: string, after = 0): Promise<JobUpdate[]> {
    const updates: JobUpdate[] = [];
    for await (const update of this.watch(id, after)) updates.push(update);
    return updates;
  }

  async artifacts(id: string): Promise<ArtifactState[]> {
    const { job } = await this.query<{ job: { artifacts: { nodes: ArtifactState[] } } }>(
      `query ($id: ID!) { job(id: $id) { artifacts(first: 50) { nodes { name kind size sha256 contentType signedUrl { url } } } } }`,
      { id },
    );
    return job.artifacts.nodes;
  }

  /** Downloads with curl, as anybody would. */
  async download(url: string, to: string): Promise<void> {
    await promisify(execFile)('curl', ['--silent', '--show-error', '--fail', '--output', to, url]);
  }
}

const JOB_FIELDS = `id status stage progress lastSequence task metric failure { code message hint stage }
  result { validationScore baselineScore holdoutScore holdoutInterval { low high } bestTrial { name family } summary }`;

export interface StartAnswer {
  __typename: string;
  code?: string;
  message?: string;
  hint?: string | null;
  job?: { id: string; status: string };
}

export interface JobState {
  id: string;
  status: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  stage: string | null;
  progress: number;
  lastSequence: number;
  task: string | null;
  metric: string | null;
  failure: { code: string; message: string; hint: string | null; stage: string | null } | null;
  result: {
    validationScore: number;
    baselineScore: number;
    holdoutScore: number | null;
    holdoutInterval: { low: number; high: number } | null;
    bestTrial: { name: string; family: string };
    summary: string;
  } | null;
}

export interface JobUpdate {
  sequence: number;
  job: JobState;
  event: {
    __typename: string;
    sequence: number;
    at: string;
    stage: string | null;
    agent: string | null;
    message: string;
    step?: string;
    tool?: string;
    agentRun?: string;
    ok?: boolean;
    to?: string;
  } | null;
}

export interface ArtifactState {
  name: string;
  kind: string;
  size: number;
  sha256: string;
  contentType: string;
  signedUrl: { url: string };
}
