import { z } from 'zod';
import type { AgentContext } from '../context.ts';
import { delegateTool } from '../delegate.ts';
import { noModel } from '../no-model.ts';
import { readBrief, type Standing, standing } from '../tools/reading.ts';
import { writeReport } from '../tools/report.ts';
import { profileTable, splitTable } from '../tools/table.ts';
import { seat } from './agent.ts';
import { evaluator } from './evaluator.ts';
import { masterTrainer } from './master-trainer.ts';
import { preprocessing } from './preprocessing.ts';
import { tuner } from './tuner.ts';

/** Every delegation that should leave a model does, or the job ends here with the reason. */
const standingOrFail = ({ team }: AgentContext): Standing => {
  const now = standing(team);
  if (now.best === null) throw noModel(team);
  return now;
};

const delegatePreprocessing = delegateTool({
  name: 'delegate_preprocessing',
  description: 'Lets the preprocessing agent plan how columns become features.',
  parameters: {},
  role: 'PREPROCESSING',
  agent: preprocessing,
  segment: 'preprocessing',
  stage: () => 'PREPROCESSING',
  answer: ({ team }) => ({
    features: team.board.plan?.features.length ?? 0,
    secondsLeft: team.budget.searchLeft,
  }),
});

const delegateTraining = delegateTool({
  name: 'delegate_training',
  description: 'Lets the master trainer train a portfolio of models with its sub-trainers, side by side.',
  parameters: {},
  role: 'MASTER_TRAINER',
  agent: masterTrainer,
  segment: 'training',
  stage: () => 'TRAINING',
  answer: standingOrFail,
});

const delegateEvaluation = delegateTool({
  name: 'delegate_evaluation',
  description:
    'Lets the evaluator ensemble the leaderboard and score the best. With final: the sealed holdout is scored, once; nothing is trained after it.',
  parameters: { final: z.boolean() },
  role: 'EVALUATOR',
  agent: evaluator,
  segment: 'evaluation',
  stage: () => 'EVALUATION',
  planned({ team }, { final }) {
    if (final) team.meter.wrapUp();
  },
  answer: standingOrFail,
});

const delegateTuning = delegateTool({
  name: 'delegate_tuning',
  description: 'Lets the tuner try improved parameters around the best of the strong families.',
  parameters: { round: z.int() },
  role: 'TUNER',
  agent: tuner,
  segment: 'tuning',
  stage: () => 'TUNING',
  answer: standingOrFail,
});

export const orchestrator = seat({
  role: 'ORCHESTRATOR',
  name: 'Orchestrator',
  instructions: `You lead a team that turns an uploaded table into a model. In this order: profile the table, split it, delegate
preprocessing, delegate training, delegate evaluation; then tune and evaluate again as long as there is time and it gains;
then delegate the final evaluation, write the report, finish.`,
  tools: [
    profileTable,
    splitTable,
    delegatePreprocessing,
    delegateTraining,
    delegateEvaluation,
    delegateTuning,
    readBrief,
    writeReport,
  ],
});
