import { Client, fetchExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { pino } from 'pino';
import WebSocket from 'ws';
import { createUrlSigner } from '../../src/artifacts/signed-url.ts';
import { readConfig } from '../../src/config.ts';
import { createHttpServer, type HttpDependencies } from '../../src/http/server.ts';
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
  const rig = await openRig(
    options.maxQueuedJobs === undefined ? {} : { maxQueuedJobs: options.maxQueuedJobs },
  );
  const logged: string[] = [];
  const dependencies: HttpDependencies = {
    config: readConfig({ PORT: '0', DATA_DIR: rig.dataDir, ...options.env }),
    jobs: rig.jobs,
    blobs: rig.blobs,
    signer: createUrlSigner(['a secret for tests alone']),
    logger: pino({ level: 'debug' }, { write: (line: string) => logged.push(line) }),
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
  const urql = new Client({ url, exchanges: [fetchExchange], preferGetMethod: false });

  return {
    rig,
    origin,
    url,
    port,
    server,
    logged,

    /** Runs an operation through urql, which sends it as a multipart request when a variable is a file. */
    async ask<T>(document: string, variables: Record<string, unknown> = {}): Promise<T> {
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
    ): Promise<StartAnswer> {
      const file = new File([new Uint8Array(Buffer.from(csv))], filename);
      const data = await this.ask<{ startTraining: StartAnswer }>(START, { input: { ...input, file } });
      return data.startTraining;
    },

    webSocket(options: { headers?: Record<string, string> } = {}) {
      class Socket extends WebSocket {
        constructor(address: string, protocols: string) {
          super(address, protocols, { headers: options.headers ?? {} });
        }
      }
      return createClient({ url: url.replace('http', 'ws'), webSocketImpl: Socket, retryAttempts: 0 });
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
