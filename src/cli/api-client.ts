import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ReadableStream } from 'node:stream/web';
import type { z } from 'zod';
import { messageOf } from '../domain/errors.ts';
import type { Metric, Task } from '../domain/vocabulary.ts';
import { DOCUMENTS } from './documents.ts';
import {
  graphQLError,
  InputError,
  refused,
  ServerUnreachableError,
  UnreadableAnswerError,
} from './errors.ts';
import { type Following, followJob } from './follow-job.ts';
import { formWithFile } from './multipart.ts';
import {
  ANSWERS,
  type ArtifactLink,
  type JobOutcome,
  type JobSnapshot,
  type JobUpdate,
  type ServerHealth,
} from './wire.ts';

/** What `startTraining` takes beside the file; what is absent is left to the server. */
export interface TrainingRequest {
  targetColumn: string;
  name?: string;
  task?: Task;
  metric?: Metric;
  quantile?: number;
  timeBudgetSeconds?: number;
  maxTrials?: number;
  seed?: number;
  goalScore?: number;
  instructions?: string;
  maxCostUsd?: number;
  ignoreColumns?: readonly string[];
  keepColumns?: readonly string[];
  holdoutFraction?: number;
  groupColumn?: string;
  timeColumn?: string;
  idempotencyKey?: string;
}

/** A client of a running server over its public wire: GraphQL by HTTP and WebSocket, files by signed URL. */
export class ApiClient {
  /** The GraphQL endpoint. */
  readonly endpoint: URL;
  /** Says who we are, to a server that asks. */
  readonly #authorization: { authorization?: string };

  /**
   * `server` is the address people are given: `http://127.0.0.1:4000`, with or without `/graphql`; `token` an API key or a
   * JWT.
   */
  constructor(server: string, token?: string) {
    this.endpoint = new URL(server);
    this.#authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    if (this.endpoint.pathname === '/') this.endpoint.pathname = '/graphql';
  }

  /**
   * Uploads `file` with the mutation that starts its job, by the GraphQL multipart request specification. The file goes out
   * as it is read: its size costs no memory.
   */
  async startTraining(file: string, request: TrainingRequest): Promise<JobSnapshot> {
    await mustBeReadable(file);
    const operation = { query: DOCUMENTS.startTraining, variables: { input: { ...request, file: null } } };
    const form = await formWithFile(
      { operations: JSON.stringify(operation), map: JSON.stringify({ file: ['variables.input.file'] }) },
      { field: 'file', path: file, name: basename(file), type: 'text/csv' },
    );
    const { startTraining } = await this.#send(form, ANSWERS.startTraining);
    if ('job' in startTraining) return startTraining.job;
    throw refused(startTraining);
  }

  /** Asks for the end of a job; what it has found so far is kept. An ended job is left as it is. */
  async cancelJob(id: string): Promise<void> {
    const { cancelJob } = await this.#ask(DOCUMENTS.cancelJob, { id }, ANSWERS.cancelJob);
    if ('code' in cancelJob) throw refused(cancelJob);
  }

  /** The job with its result, failure and leaderboard. Rejects with JOB_NOT_FOUND. */
  async job(id: string): Promise<JobOutcome> {
    const { job } = await this.#ask(DOCUMENTS.job, { id }, ANSWERS.job);
    if (job) return job;
    throw new InputError('JOB_NOT_FOUND', `There is no job with id "${id}" at ${this.endpoint.host}.`);
  }

  /** What this server is: version, who sits in the agents' seats, and how the sandbox holds what runs in it. */
  async health(): Promise<ServerHealth> {
    return (await this.#ask(DOCUMENTS.health, {}, ANSWERS.health)).health;
  }

  /** Every file of a job, with a fresh signed URL each. */
  async artifacts(jobId: string): Promise<ArtifactLink[]> {
    const found: ArtifactLink[] = [];
    for (let after: string | null = null; ; ) {
      const page: z.output<typeof ANSWERS.artifacts> = await this.#ask(
        DOCUMENTS.artifacts,
        { jobId, after },
        ANSWERS.artifacts,
      );
      const { edges, pageInfo } = page.artifacts;
      found.push(...edges.map((edge) => edge.node));
      if (!pageInfo.hasNextPage) return found;
      after = pageInfo.endCursor;
    }
  }

  /** Every event of a job after `after`, each once and in order, over as many connections as it takes. */
  follow(jobId: string, following: Following): AsyncGenerator<JobUpdate> {
    return followJob(this.endpoint, jobId, { ...this.#authorization, ...following });
  }

  #ask<T>(query: string, variables: Record<string, unknown>, answer: z.ZodType<T>): Promise<T> {
    return this.#send(
      { contentType: 'application/json', body: JSON.stringify({ query, variables }) },
      answer,
    );
  }

  async #send<T>(
    { contentType, body }: { contentType: string; body: string | ReadableStream<Uint8Array> },
    answer: z.ZodType<T>,
  ): Promise<T> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.endpoint, {
        method: 'POST',
        headers: {
          accept: 'application/graphql-response+json, application/json',
          // Forms need no preflight in a browser, so servers ask for a header that no form can send.
          'apollo-require-preflight': 'true',
          'content-type': contentType,
          ...this.#authorization,
        },
        body,
        duplex: 'half',
        // Types of a browser's fetch come in with some library; Node's own also knows `duplex` and Node's streams.
      } as RequestInit);
      text = await response.text();
    } catch (error) {
      throw new ServerUnreachableError(this.endpoint, error);
    }
    return readAnswer(this.endpoint, response.status, text, answer);
  }
}

/** Rejects with FILE_UNREADABLE where `startTraining` would, before anything is made or sent. */
export async function mustBeReadable(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK);
    if (!(await stat(file)).isFile()) throw new Error('it is not a file');
  } catch (error) {
    throw new InputError('FILE_UNREADABLE', `Cannot read ${file}: ${messageOf(error)}.`, { cause: error });
  }
}

interface GraphQLAnswer {
  data?: unknown;
  errors?: readonly { message: string; extensions?: unknown }[];
}

function readAnswer<T>(endpoint: URL, status: number, text: string, answer: z.ZodType<T>): T {
  let body: GraphQLAnswer;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new ServerUnreachableError(endpoint, new Error(`status ${status} and no JSON`, { cause: error }));
  }
  const [problem] = body.errors ?? [];
  if (problem) throw graphQLError(problem);
  const parsed = answer.safeParse(body.data);
  if (parsed.success) return parsed.data;
  throw new UnreadableAnswerError(endpoint, parsed.error);
}
