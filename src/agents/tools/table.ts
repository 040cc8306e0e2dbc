import { z } from 'zod';
import { SproutError } from '../../domain/errors.ts';
import type { NewEvent } from '../../domain/events.ts';
import { type AgentContext, inputPath } from '../context.ts';
import { jobColumns } from '../job-columns.ts';
import { noModel } from '../no-model.ts';
import { enterStage } from '../stage.ts';
import { type StepAnswer, type StepSpec, step } from '../step.ts';
import { prepareResult, profileResult, splitResult } from '../toolkit-protocol.ts';
import { agentTool } from './agent-tool.ts';
import { toldOfPlan, toldOfProfile, withoutWords } from './told-answers.ts';
import { callToolkit } from './toolkit-call.ts';

/** The first steps: what the table is, which rows are sealed, how columns become features. None can be done without. */

export const profileTable = agentTool({
  name: 'profile_table',
  description:
    'Reads the uploaded table: rows, column types, missing values, the task, the metric, and what is wrong with it.',
  parameters: {},
  told: toldOfProfile,
  async execute(_input, agent, callId) {
    const { profile } = agent.team.board;
    if (profile) return knownAlready(agent, callId, 'profile_table', profile);
    await enterStage(agent, callId, 'SETUP');
    const { job, dataset, seed } = agent.team;
    const { targetColumn: target, ignoreColumns, keepColumns, groupColumn, timeColumn } = job.options;
    const { task, metric, quantile } = job.options;
    const asked = { target, ignoreColumns, keepColumns, groupColumn, timeColumn, task, metric, quantile };
    const { delimiter, encoding, compression } = dataset.dialect;
    const input = { path: inputPath(dataset), delimiter, encoding, compression };
    return setupStep(agent, callId, {
      tool: 'profile_table',
      label: 'Profile the table',
      input: asked,
      run: (io) =>
        callToolkit(agent, io, {
          command: 'profile',
          request: { input, ...asked, seed, timeBudgetSeconds: job.options.timeBudgetSeconds },
          result: profileResult,
          label: 'Profile the table',
          ...setupLimits(agent),
        }),
      settle(profile) {
        agent.team.board.profile = profile;
        const columns = profile.columns.map(({ name, type, missing, distinct }) => ({
          name,
          type,
          missing,
          distinct,
        }));
        const features = profile.columns.filter((column) => column.role === 'feature').length;
        return {
          message: `${profile.rows} rows, ${features} features; ${profile.task} by ${profile.metric}`,
          events: warned(agent, 'Profile the table', profile.warnings),
          changes: {
            task: profile.task,
            metric: profile.metric,
            columns,
            rowCount: profile.rows,
            jobColumns: jobColumns(profile, null),
          },
        };
      },
    });
  },
});

export const splitTable = agentTool({
  name: 'split_table',
  description: 'Seals a holdout that no agent sees and fixes the folds every trial is cross-validated on.',
  parameters: {
    folds: z.int().nullable().describe('Number of folds; null: chosen by the size of the table.'),
  },
  told: withoutWords,
  async execute({ folds }, agent, callId) {
    const { split } = agent.team.board;
    if (split) return knownAlready(agent, callId, 'split_table', split);
    await enterStage(agent, callId, 'SETUP');
    const { holdoutFraction, timeBudgetSeconds } = agent.team.job.options;
    return setupStep(agent, callId, {
      tool: 'split_table',
      label: 'Seal the holdout',
      input: { holdoutFraction, folds },
      run: (io) =>
        callToolkit(agent, io, {
          command: 'split',
          request: { holdoutFraction, folds, seed: agent.team.seed, timeBudgetSeconds },
          result: splitResult,
          label: 'Seal the holdout',
          ...setupLimits(agent),
        }),
      settle(split) {
        agent.team.board.split = split;
        const { trainRows, holdoutRows, folds: count } = split;
        const rows = `${trainRows} rows to train on in ${count} folds, ${holdoutRows} sealed`;
        return {
          message: `${rows}. ${split.decisions.join(' ')}`,
          events: warned(agent, 'Seal the holdout', split.warnings),
        };
      },
    });
  },
});

export const prepareFeatures = agentTool({
  name: 'prepare_features',
  description:
    'Decides how each column becomes features. Nothing is fitted here: fitting happens inside the folds.',
  parameters: {},
  told: toldOfPlan,
  async execute(_input, agent, callId) {
    const { plan } = agent.team.board;
    if (plan) return knownAlready(agent, callId, 'prepare_features', plan);
    return setupStep(agent, callId, {
      tool: 'prepare_features',
      label: 'Plan the features',
      input: {},
      run: (io) =>
        callToolkit(agent, io, {
          command: 'prepare',
          request: { seed: agent.team.seed },
          result: prepareResult,
          label: 'Plan the features',
          ...setupLimits(agent),
        }),
      settle(plan) {
        agent.team.board.plan = plan;
        const { profile } = agent.team.board;
        return {
          ...(profile && { changes: { jobColumns: jobColumns(profile, plan) } }),
          message: `${plan.features.length} features planned, ${plan.dropped.length} columns left out`,
          events: warned(agent, 'Plan the features', plan.warnings),
        };
      },
    });
  },
});

/** Where a language model leads, the playbook has done it before: nothing is done twice. */
const knownAlready = <T>(agent: AgentContext, callId: string, tool: string, known: T) =>
  step<T>(agent, callId, { tool, label: tool, input: {}, quiet: true, run: async () => known });

/** A warning that names no column by itself is followed by those it is about. */
function warned(
  agent: AgentContext,
  step: string,
  warnings: readonly { message: string; columns?: readonly string[] }[],
): NewEvent[] {
  return warnings.map(({ message, columns = [] }) => ({
    type: 'LogWritten',
    level: 'WARNING',
    step,
    stage: 'SETUP',
    agent: agent.role,
    message: columns.some((name) => message.includes(`"${name}"`)) ? message : withColumns(message, columns),
  }));
}

const SHOWN_COLUMNS = 10;
const withColumns = (message: string, columns: readonly string[]) =>
  columns.length === 0
    ? message
    : `${message}: ${columns.slice(0, SHOWN_COLUMNS).join(', ')}${columns.length > SHOWN_COLUMNS ? ' …' : ''}`;

/** No result is possible without these: their failure, or a stop during them, ends the job with its own code. */
async function setupStep<T>(agent: AgentContext, callId: string, spec: StepSpec<T>): Promise<StepAnswer<T>> {
  return step(agent, callId, {
    ...spec,
    failureIsFatal: true,
    async run(io) {
      try {
        return await spec.run(io);
      } catch (error) {
        const outOfTime = error instanceof SproutError && ['STOPPED', 'STEP_DEADLINE'].includes(error.code);
        throw outOfTime && !agent.team.signal.aborted ? noModel(agent.team) : error;
      }
    },
  });
}

const setupLimits = ({ team }: AgentContext) => ({
  timeoutSeconds: Math.max(20, team.budget.left),
  softSignal: team.stopSignal,
});
