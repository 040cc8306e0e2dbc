import { Client, fetchExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { pino } from 'pino';
import WebSocket from 'ws';
import { createUrlSigner } from '../../src/artifacts/signed-url.ts';
import { ApiKeys } from '../../src/auth/api-keys.ts';
import { authenticationIn } from '../../src/auth/configured.ts';
import { readConfig } from '../../src/config.ts';
import type { Scope } from '../../src/domain/viewer.ts';
import { createHttpServer, type HttpDependencies } from '../../src/http/server.ts';
import { quotasIn } from '../../src/jobs/quotas.ts';
import { openRig, type Rig } from '../jobs/rig.ts';

export type Api = Awaited<ReturnType<typeof openApi>>;

/** The real server over real jobs, database and disk, on a free port; nothing runs the jobs but the test. */
export async function openApi(
  options: {
    env?: Record<string, string>;
    maxQueuedJobs?: number;
    dependencies?: (rig: Rig) => Partial<HttpDependencies>;
  } = {},
) {
  const environment = { PORT: '0', ...options.env };
  const rig = await openRig({
    ...(options.maxQueuedJobs === undefined ? {} : { maxQueuedJobs: options.maxQueuedJobs }),
    quotas: quotasIn(readConfig(environment)),
  });
  const logged: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => logged.push(line) });
  const config = readConfig({ ...environment, DATA_DIR: rig.dataDir });
  const keys = new ApiKeys({ database: rig.database, logger });
  const dependencies: HttpDependencies = {
    config,
    jobs: rig.jobs,
    keys,
    auth: authenticationIn(config, { keys, logger }),
    blobs: rig.blobs,
    signer: createUrlSigner(['a secret for tests alone']),
    logger,
    about: {
      version: '0.0.0-test',
      mind: 'PLAYBOOK',
      sandboxKind: 'LOCAL',
      containment: 'contained',
      sandboxDescription: 'bubblewrap: no network, no host files',
    },
    readiness: { database: async () => undefined },
    ...options.dependencies?.(rig),
  };
  const server = createHttpServer(dependencies);
  const { url: origin, port } = await server.listen();
  const url = `${origin}/graphql`;
  const urqlAs = (token: string | null) =>
    new Client({
      url,
      exchanges: [fetchExchange],
      preferGetMethod: false,
      fetchOptions: { headers: token === null ? {} : { authorization: `Bearer ${token}` } },
    });
  const anonymous = urqlAs(null);

  return {
    rig,
    keys,
    origin,
    url,
    port,
    server,
    logged,

    /** The token of a new API key. */
    async key(owner: string, scope: Scope = 'TRAIN', expiresAt: Date | null = null): Promise<string> {
      return (await keys.create({ name: `${owner}'s`, owner, scope, expiresAt })).token;
    },

    /** Runs an operation through urql, which sends it as a multipart request when a variable is a file. */
    async ask<T>(
      document: string,
      variables: Record<string, unknown> = {},
      token: string | null = null,
    ): Promise<T> {
      const urql = token === null ? anonymous : urqlAs(token);
      const isMutation = document.trimStart().startsWith('mutation');
      const source = isMutation ? urql.mutation(document, variables) : urql.query(document, variables);
      const { data, error } = await source;
      if (error) throw error;
      return data as T;
    },

    async start(
      csv: string | Buffer,
      input: Record<string, unknown>,
      filename = 'table.csv',
      token: string | null = null,
    ): Promise<StartAnswer> {
      const file = new File([new Uint8Array(Buffer.from(csv))], filename);
      const variables = { input: { ...input, file } };
      const data = await this.ask<{ startTraining: StartAnswer }>(START, variables, token);
      return data.startTraining;
    },

    webSocket(
      options: { headers?: Record<string, string>; connectionParams?: Record<string, unknown> } = {},
    ) {
      class Socket extends WebSocket {
        constructor(address: string, protocols: string) {
          super(address, protocols, { headers: options.headers ?? {} });
        }
      }
      return createClient({
        url: url.replace('http', 'ws'),
        webSocketImpl: Socket,
        retryAttempts: 0,
        ...(options.connectionParams === undefined ? {} : { connectionParams: options.connectionParams }),
      });
    },

    async close() {
      await server.close();
      await rig.remove();
    },
  };
}

export interface StartAnswer {
  __typename: string;
  code?: string;
  message?: string;
  hint?: string | null;
  line?: number | null;
  field?: string | null;
  columns?: string[];
  suggestion?: string | null;
  job?: {
    id: string;
    name: string;
    status: string;
    dataset: {
      id: string;
      name: string;
      rowCount: number;
      size: number;
      sha256: string;
      columns: { name: string }[];
      dialect: { delimiter: string; encoding: string; compression: string | null };
    };
  };
}

const START = /* GraphQL */ `
  mutation Start($input: StartTrainingInput!) {
    startTraining(input: $input) {
      __typename
      ... on Error { code message hint }
      ... on InvalidDatasetError { line }
      ... on InvalidOptionsError { field }
      ... on TargetNotFoundError { columns suggestion }
      ... on StartTrainingSuccess {
        job {
          id name status
          dataset { id name rowCount size sha256 columns { name } dialect { delimiter encoding compression } }
        }
      }
    }
  }
`;

/** A small table that is worth training on: `rows` rows of `a,b,y`. */
export function table(rows = 20, delimiter = ','): string {
  const lines = Array.from({ length: rows }, (_, i) =>
    [i, i * 2, i % 2 === 0 ? 'yes' : 'no'].join(delimiter),
  );
  return `${[['a', 'b', 'y'].join(delimiter), ...lines].join('\n')}\n`;
}
