import type { Agent } from '@openai/agents-core';
import { z } from 'zod';
import type { AgentContext } from '../context.ts';
import { delegateTool } from '../delegate.ts';
import { noModel } from '../no-model.ts';
import { EXPLORER, ORCHESTRATOR } from '../prompts/orchestrator.ts';
import { agentTool } from '../tools/agent-tool.ts';
import { readColumns } from '../tools/looking.ts';
import { readBrief, readLeaderboard, type Standing, standing } from '../tools/reading.ts';
import { writeReport } from '../tools/report.ts';
import { profileTable, splitTable } from '../tools/table.ts';
import { type Keeper, seat } from './agent.ts';
import { evaluatorSeat } from './evaluator.ts';
import { masterTrainerSeat, modelMaker } from './master-trainer.ts';
import { columnMaker, preprocessingSeat } from './preprocessing.ts';
import { improver, tunerSeat } from './tuner.ts';

type TeamAgent = Agent<AgentContext>;

/** Every delegation that should leave a model does, or the job ends here with the reason. */
const standingOrFail = ({ team }: AgentContext): Standing => {
  const now = standing(team);
  if (now.best === null) throw noModel(team);
  return now;
};

const delegatePreprocessing = (agent: TeamAgent) =>
  delegateTool({
    name: 'delegate_preprocessing',
    description: 'Lets the preprocessing agent plan how columns become features.',
    parameters: {},
    role: 'PREPROCESSING',
    agent,
    segment: 'preprocessing',
    stage: () => 'PREPROCESSING',
    answer: ({ team }) => ({
      features: team.board.plan?.features.length ?? 0,
      secondsLeft: team.budget.searchLeft,
    }),
  });

type Answer = (parent: AgentContext) => Standing;

const delegateTraining = (agent: TeamAgent, answer: Answer) =>
  delegateTool({
    name: 'delegate_training',
    description: 'Lets the master trainer train a portfolio of models with its sub-trainers, side by side.',
    parameters: {},
    role: 'MASTER_TRAINER',
    agent,
    segment: 'training',
    stage: () => 'TRAINING',
    answer,
  });

const EVALUATION =
  'Lets the evaluator ensemble the leaderboard and score the best. With final: the sealed holdout is scored, once; nothing is trained after it.';

const delegateEvaluation = (
  keeper: Keeper,
  answer: Answer,
  refuse?: (input: { final: boolean }) => unknown,
) =>
  delegateTool({
    name: 'delegate_evaluation',
    description: EVALUATION,
    parameters: { final: z.boolean() },
    role: 'EVALUATOR',
    agent: evaluatorSeat(keeper),
    segment: 'evaluation',
    stage: () => 'EVALUATION',
    planned({ team }, { final }) {
      if (final) team.meter.wrapUp();
    },
    ...(refuse ? { refuse } : {}),
    answer,
  });

const delegateTuning = (agent: TeamAgent, answer: Answer) =>
  delegateTool({
    name: 'delegate_tuning',
    description: 'Lets the tuner try improved parameters around the best of the strong families.',
    parameters: { round: z.int() },
    role: 'TUNER',
    agent,
    segment: 'tuning',
    stage: () => 'TUNING',
    answer,
  });

/** Leads a whole job, from the table to the report. */
export const orchestratorSeat = (keeper: Keeper) =>
  seat({
    role: 'ORCHESTRATOR',
    name: 'Orchestrator',
    keeper,
    instructions: ORCHESTRATOR,
    tools: [
      profileTable,
      splitTable,
      delegatePreprocessing(preprocessingSeat(keeper)),
      delegateTraining(masterTrainerSeat(keeper), standingOrFail),
      delegateEvaluation(keeper, standingOrFail),
      delegateTuning(tunerSeat(keeper), standingOrFail),
      readBrief,
      writeReport,
    ],
  });

/** The playbook's first moves in a job that a language model leads: it ends where the training would begin. */
export const opener = seat({
  role: 'ORCHESTRATOR',
  name: 'Orchestrator',
  keeper: 'playbook',
  instructions: ORCHESTRATOR,
  tools: [
    profileTable,
    splitTable,
    delegatePreprocessing(preprocessingSeat('playbook')),
    readBrief,
    agentTool({
      name: 'delegate_training',
      description: 'Hands over.',
      parameters: {},
      async execute(_input, agent) {
        agent.outcome = 'The table is read, split and planned.';
        return { ok: true };
      },
    }),
  ],
});

const LATER = {
  ok: false,
  error: {
    code: 'MADE_AFTER_YOU',
    message: 'The final evaluation and the report are made once you have finished.',
    hint: 'Go on while there is time and it gains, or call "finish".',
  },
};

/** Where a language model leads. Whatever it does, the playbook's own models are trained beside it and the playbook ends the job. */
export const explorer = seat({
  role: 'ORCHESTRATOR',
  name: 'Orchestrator',
  instructions: EXPLORER,
  tools: [
    profileTable,
    splitTable,
    readBrief,
    readColumns,
    readLeaderboard,
    delegatePreprocessing(columnMaker),
    delegateTraining(modelMaker, ({ team }) => standing(team)),
    delegateEvaluation(
      'mind',
      ({ team }) => standing(team),
      ({ final }) => (final ? LATER : null),
    ),
    delegateTuning(improver, ({ team }) => standing(team)),
    agentTool({
      name: 'write_report',
      description: 'The report is written once you have finished.',
      parameters: {},
      execute: async () => LATER,
    }),
  ],
});
