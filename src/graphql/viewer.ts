import type { Scope, Viewer } from '../domain/viewer.ts';
import type { Quotas, Standing } from '../jobs/jobs.ts';
import { builder } from './builder.ts';

export const ScopeEnum = builder.enumType('Scope', {
  description: 'What a caller may do; each includes those before it.',
  values: {
    READ: { value: 'READ', description: 'See their jobs, datasets and files.' },
    TRAIN: { value: 'TRAIN', description: 'Also upload, start, cancel, retry and delete.' },
    ADMIN: { value: 'ADMIN', description: "Also make API keys, and see and change everybody's." },
  } satisfies Record<Scope, { value: Scope; description: string }>,
});

interface Share {
  used: number;
  limit: number | null;
}

const QuotaType = builder.objectRef<Share>('Quota').implement({
  description: 'How much of something an owner has, and may have.',
  fields: (t) => ({
    used: t.expose('used', { type: 'ByteSize', description: 'What there is.' }),
    limit: t.expose('limit', {
      type: 'ByteSize',
      description: 'What there may be; null: no limit of the owner alone.',
      nullable: true,
    }),
  }),
});

const QuotasType = builder.objectRef<{ quotas: Quotas; standing: Standing }>('Quotas').implement({
  description: 'What an owner has and may have. Beyond a limit, QuotaExceededError tells it.',
  fields: (t) => ({
    runningJobs: t.field({
      type: QuotaType,
      description: 'Jobs running now; more of them wait.',
      resolve: ({ quotas, standing }) => ({ used: standing.runningJobs, limit: quotas.runningJobs }),
    }),
    queuedJobs: t.field({
      type: QuotaType,
      description: 'Jobs waiting.',
      resolve: ({ quotas, standing }) => ({ used: standing.queuedJobs, limit: quotas.queuedJobs }),
    }),
    uploadedBytesToday: t.field({
      type: QuotaType,
      description: 'Bytes uploaded today (UTC).',
      resolve: ({ quotas, standing }) => ({
        used: standing.uploadedBytesToday,
        limit: quotas.uploadBytesPerDay,
      }),
    }),
    storedBytes: t.field({
      type: QuotaType,
      description: 'Bytes of all tables and files.',
      resolve: ({ quotas, standing }) => ({ used: standing.storedBytes, limit: quotas.storageBytes }),
    }),
    budgetSecondsToday: t.field({
      type: QuotaType,
      description: 'Time budgets of the jobs started today (UTC), in seconds.',
      resolve: ({ quotas, standing }) => ({
        used: standing.budgetSecondsToday,
        limit: quotas.budgetSecondsPerDay,
      }),
    }),
  }),
});

const ViewerType = builder.objectRef<Viewer>('Viewer').implement({
  description: 'Who asks, as this server sees them.',
  fields: (t) => ({
    owner: t.exposeString('owner', { description: 'Whose jobs and datasets they see and make.' }),
    scope: t.expose('scope', { type: ScopeEnum, description: 'What they may do.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When the token or key they came with ends.',
      nullable: true,
    }),
    quotas: t.field({
      type: QuotasType,
      description: 'What they have and may have.',
      complexity: 20,
      resolve: async (_viewer, _args, { jobs }) => ({ quotas: jobs.quotas, standing: await jobs.standing() }),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: ViewerType,
    description: 'Who you are here.',
    resolve: (_root, _args, { viewer }) => viewer,
  }),
);
