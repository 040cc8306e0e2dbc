import type * as records from '../domain/records.ts';
import { builder } from './builder.ts';
import { MetricEnum } from './enums.ts';
import { TrialRef } from './refs.ts';
import { toTrialShape } from './trial.ts';

const Interval = builder.objectRef<records.Interval>('Interval').implement({
  description: 'A range of values.',
  fields: (t) => ({
    low: t.exposeFloat('low', { description: 'Lower end.' }),
    high: t.exposeFloat('high', { description: 'Upper end.' }),
  }),
});

export const TrainingResult = builder
  .objectRef<records.JobResult & { job: records.Job }>('TrainingResult')
  .implement({
    description: 'The best model of a job and how far it can be trusted.',
    fields: (t) => ({
      metric: t.expose('metric', { type: MetricEnum, description: 'What the scores are.' }),
      validationScore: t.exposeFloat('validationScore', {
        description: 'Cross-validated score, which the search has seen.',
      }),
      holdoutScore: t.exposeFloat('holdoutScore', {
        description:
          'Score on sealed rows no agent ever saw, computed once by the server. Null until then, without sealed rows, and where they leave the metric undefined.',
        nullable: true,
      }),
      holdoutInterval: t.expose('holdoutInterval', {
        type: Interval,
        description:
          '95% bootstrap interval of the holdout score, over whole groups or stretches of time where rows were split so.',
        nullable: true,
      }),
      baselineScore: t.exposeFloat('baselineScore', {
        description: 'What predicting the prior or the median scores.',
      }),
      playbookScore: t.float({
        description:
          "Of a job that a language model leads: the best cross-validated score of the playbook's own trials, which run beside the model's. Null otherwise.",
        nullable: true,
        resolve: ({ playbookScore }) => playbookScore ?? null,
      }),
      lift: t.float({
        description:
          "How much better than `playbookScore` the best trial is, in the metric's units; never negative: 0 where the best is the playbook's own.",
        nullable: true,
        resolve: ({ lift }) => lift ?? null,
      }),
      bestTrial: t.field({
        type: TrialRef,
        description: 'The model that scored it.',
        resolve: async ({ job, bestTrialId }, _args, { jobs }) => {
          const trial = await jobs.trial(job.id, bestTrialId);
          if (trial === null)
            throw new Error(`job ${job.id} names a best trial ${bestTrialId} it does not have`);
          return toTrialShape(trial, job);
        },
      }),
      summary: t.exposeString('summary', { description: 'The result in a few sentences.' }),
    }),
  });
