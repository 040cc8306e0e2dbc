import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { buildSchema, execute, graphql, parse, subscribe, validate } from 'graphql';
import { type FileUpload, type GraphQLOperation, processRequest } from 'graphql-upload-minimal';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { ArtifactLink, JobUpdate } from '../../src/cli/wire.ts';

/** What the stand-in is to answer; a test gives only what it is about. */
export interface Script {
  startTraining?(input: Record<string, unknown>): unknown;
  cancelJob?(input: { jobId: string }): unknown;
  job?(id: string): unknown;
  artifacts?: readonly (Omit<ArtifactLink, 'signedUrl' | 'id'> & { content: string })[];
  updates?(after: number): AsyncGenerator<JobUpdate>;
}

export interface StandIn {
  url: string;
  /** What arrived in the multipart upload. */
  uploads: { filename: string; size: number; sha256: string }[];
  /** The `after` of each subscription, in order. */
  cursors: (number | null)[];
  /** Cuts every WebSocket without a word, as a broken line does. */
  cutConnections(): void;
  close(): Promise<void>;
}

/**
 * A server that speaks SproutML's wire over real sockets, with the committed schema (so an operation it does not allow fails
 * here too) and answers that a test has written down.
 */
export async function startStandIn(script: Script): Promise<StandIn> {
  const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
  const standIn = { uploads: [] as StandIn['uploads'], cursors: [] as StandIn['cursors'] };
  const sockets = new Set<Socket>();
  const origin = () => `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const rootValue = {
    health: {
      version: '0.0.0',
      mind: 'PLAYBOOK',
      sandbox: { kind: 'LOCAL', containment: 'CONTAINED', description: 'A stand-in.' },
    },
    startTraining: async ({ input }: { input: Record<string, unknown> }) => {
      const upload = (await (input.file as { promise: Promise<FileUpload> }).promise) as FileUpload;
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of upload.createReadStream()) {
        hash.update(chunk);
        size += chunk.length;
      }
      standIn.uploads.push({ filename: upload.filename, size, sha256: hash.digest('hex') });
      return script.startTraining?.(input);
    },
    cancelJob: ({ input }: { input: { jobId: string } }) => script.cancelJob?.(input),
    job: ({ id }: { id: string }) => script.job?.(id) ?? null,
    artifacts: ({ first, after }: { first: number; after: string | null }) => {
      const from = after === null ? 0 : Number(after) + 1;
      const all = script.artifacts ?? [];
      const edges = all.slice(from, from + Math.min(first, 2)).map((artifact, index) => ({
        cursor: String(from + index),
        node: {
          __typename: 'Artifact',
          id: `artifact_${from + index}`,
          ...artifact,
          signedUrl: { url: `${origin()}/artifacts/${from + index}`, expiresAt: new Date() },
        },
      }));
      const endCursor = edges.at(-1)?.cursor ?? null;
      return { edges, pageInfo: { hasNextPage: from + edges.length < all.length, endCursor } };
    },
    jobUpdated: ({ after }: { after: number | null }) => {
      standIn.cursors.push(after);
      return updatesOnTheWire(script.updates?.(after ?? 0));
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const artifact = /^\/artifacts\/(\d+)/.exec(request.url ?? '');
    if (artifact) {
      const content = script.artifacts?.[Number(artifact[1])]?.content;
      response.writeHead(content === undefined ? 404 : 200).end(content);
      return;
    }
    const multipart = request.headers['content-type']?.startsWith('multipart/form-data');
    const operation: GraphQLOperation = multipart
      ? ((await processRequest(request, response)) as GraphQLOperation)
      : JSON.parse(await text(request));
    const variableValues = operation.variables as Record<string, unknown>;
    const result = await graphql({ schema, source: operation.query, variableValues, rootValue });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
  }

  const http = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  http.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const webSockets = new WebSocketServer({ server: http, path: '/graphql' });
  // Its own copies of these could be of another instance of graphql than the schema is.
  useServer({ schema, roots: { subscription: rootValue }, execute, parse, subscribe, validate }, webSockets);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    ...standIn,
    url: origin(),
    cutConnections: () => {
      for (const client of webSockets.clients) client.terminate();
    },
    close: () =>
      new Promise((resolve) => {
        webSockets.close();
        http.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

async function* updatesOnTheWire(updates: AsyncGenerator<JobUpdate> | undefined) {
  for await (const { sequence, job, event } of updates ?? []) {
    const body = event === null ? null : { __typename: event.type, ...event, at: event.at.toISOString() };
    yield { jobUpdated: { sequence, job: jobOnTheWire(job), event: body } };
  }
}

/** A snapshot as resolvers would return it. */
export const jobOnTheWire = (job: JobUpdate['job']) => ({
  __typename: 'Job',
  ...job,
  createdAt: job.createdAt.toISOString(),
  startedAt: job.startedAt?.toISOString() ?? null,
  finishedAt: job.finishedAt?.toISOString() ?? null,
  leaderboard: [],
  usage: { modelCalls: 0, inputTokens: 0, outputTokens: 0, estimatedCostUsd: 0 },
});
