import type * as records from '../domain/records.ts';
import { builder } from './builder.ts';
import { AgentEnum, MindEnum } from './enums.ts';
import { TrialRef, type TrialShape } from './refs.ts';

/** Trial ids are only unique within their job; the client's cache needs more. */
export const trialGlobalId = (jobId: string, trialId: string): string => `trial_${jobId}_${trialId}`;

export const toTrialShape = (trial: records.Trial, job: records.Job): TrialShape => ({
  ...trial,
  isBest: job.result?.bestTrialId === trial.id,
});

builder.objectType(TrialRef, {
  description: 'One model configuration, cross-validated.',
  fields: (t) => ({
    id: t.id({
      description: 'Unique over all types; opaque.',
      resolve: (trial) => trialGlobalId(trial.jobId, trial.id),
    }),
    name: t.exposeString('name', { description: 'Name to show, unique within the job.' }),
    // The contract says String; the values are the words of the Family vocabulary.
    family: t.exposeString('family', { description: 'Kind of model: one of the values of `Family`.' }),
    agent: t.expose('agent', { type: AgentEnum, description: 'Who tried it.' }),
    origin: t.expose('origin', {
      type: MindEnum,
      description: "Whose idea it was. An ensemble with a language model's trial in it is the model's.",
    }),
    score: t.exposeFloat('score', { description: "Validation score in the job's metric." }),
    foldScores: t.floatList({
      description: 'The score of each fold.',
      resolve: (trial) => [...trial.foldScores],
    }),
    fitSeconds: t.exposeFloat('fitSeconds', { description: 'Seconds spent fitting, over all folds.' }),
    predictMicrosPerRow: t.exposeFloat('predictMicrosPerRow', {
      description: 'Microseconds to predict one row.',
      nullable: true,
    }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'The parameters in effect.' }),
    isBaseline: t.exposeBoolean('isBaseline', {
      description: 'Whether this is the row every model must beat.',
    }),
    isBest: t.exposeBoolean('isBest', { description: 'Whether this is the best model of the job so far.' }),
  }),
});
