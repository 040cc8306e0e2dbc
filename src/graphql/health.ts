import { builder } from './builder.ts';
import type { About, ApiContext } from './context.ts';
import { ContainmentEnum, MindEnum, SandboxKindEnum } from './enums.ts';

const SandboxHealth = builder.objectRef<About>('SandboxHealth').implement({
  description: 'Where training code runs on this server, and what holds it there.',
  fields: (t) => ({
    kind: t.field({
      type: SandboxKindEnum,
      description: 'Where it runs.',
      resolve: (about) => about.sandboxKind,
    }),
    containment: t.field({
      type: ContainmentEnum,
      description: 'What may run there.',
      resolve: (about) => about.containment,
    }),
    description: t.exposeString('sandboxDescription', {
      description: 'One sentence: how code is contained, or why it is not.',
    }),
  }),
});

const Health = builder.objectRef<ApiContext>('Health').implement({
  description: 'What this server is and how it fares.',
  fields: (t) => ({
    version: t.string({ description: 'Version of SproutML.', resolve: ({ about }) => about.version }),
    uptimeSeconds: t.int({
      description: 'Seconds since the server started.',
      resolve: () => Math.floor(process.uptime()),
    }),
    mind: t.field({
      type: MindEnum,
      description: "Who sits in the agents' seats of a new job.",
      resolve: ({ about }) => about.mind,
    }),
    sandbox: t.field({
      type: SandboxHealth,
      description: 'Where training code runs.',
      resolve: ({ about }) => about,
    }),
    queuedJobs: t.int({
      description: 'Jobs waiting to run, of those you may see.',
      complexity: 10,
      resolve: ({ jobs, config }) => countJobs(jobs, 'QUEUED', config.MAX_QUEUED_JOBS),
    }),
    runningJobs: t.int({
      description: 'Jobs running now, of those you may see.',
      complexity: 10,
      resolve: ({ jobs, config }) => countJobs(jobs, 'RUNNING', config.JOB_CONCURRENCY),
    }),
    maxUploadBytes: t.field({
      type: 'ByteSize',
      description: 'Largest file that is accepted.',
      resolve: ({ config }) => config.MAX_UPLOAD_BYTES,
    }),
  }),
});

/** Both states are bounded by the configuration, so counting a page is counting all of them. */
async function countJobs(
  jobs: ApiContext['jobs'],
  status: 'QUEUED' | 'RUNNING',
  atMost: number,
): Promise<number> {
  const page = await jobs.list({ statuses: [status] }, { limit: atMost });
  return page.rows.length;
}

builder.queryField('health', (t) =>
  t.field({
    type: Health,
    description: 'What this server is and how it fares.',
    resolve: (_root, _args, context) => context,
  }),
);
