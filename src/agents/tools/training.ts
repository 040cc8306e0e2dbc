import { z } from 'zod';
import { FAMILIES, type Family, type Mind } from '../../domain/vocabulary.ts';
import type { Blackboard } from '../blackboard.ts';
import type { AgentContext, Team } from '../context.ts';
import { recordTrial, stableTrialId } from '../leaderboard.ts';
import { originOf } from '../origin.ts';
import { type StepError, step } from '../step.ts';
import { type Parameters, trainResult } from '../toolkit-protocol.ts';
import { agentTool } from './agent-tool.ts';
import { callToolkit } from './toolkit-call.ts';

/** A configuration as agents write it. Parameters are a list, for strict schemas know no free-form objects. */
export const trialShape = {
  name: z.string().describe('Short and for people: "CatBoost (depth 6)".'),
  family: z.enum(FAMILIES).exclude(['ENSEMBLE', 'CODE']),
  parameters: z.array(
    z.object({
      name: z.string(),
      value: z.union([z.string(), z.number(), z.boolean(), z.array(z.number())]),
    }),
  ),
  quick: z.boolean().describe('True for a deliberately short first try.'),
  keepFree: z
    .number()
    .min(0)
    .max(0.9)
    .describe('Share of the whole search time that must be left after this trial: 0 where it may use all.'),
};
const trialSchema = z.object(trialShape);
export type TrialRequest = z.output<typeof trialSchema>;

export const trainTrial = agentTool({
  name: 'train_trial',
  description:
    'Cross-validates one configuration on the fixed folds. Waits for a free core. Answers with the score, or says why it was not run.',
  parameters: trialShape,
  execute: (trial, agent, callId, nth) => train(agent, callId, nth, 'train_trial', trial, null),
});

const stackedShape = {
  name: trialShape.name,
  family: trialShape.family,
  parameters: trialShape.parameters,
  stackOn: z
    .array(z.string())
    .describe('Ids of the trials whose answers it learns from, beside the columns.'),
};
const stackedSchema = z.object(stackedShape);
export type StackedRequest = z.output<typeof stackedSchema>;

export const trainStacked = agentTool({
  name: 'train_stacked',
  description:
    'As train_trial, for a model of a second layer: it also learns from what other trials answer for rows that they had not learnt from.',
  parameters: stackedShape,
  async execute({ stackOn, ...trial }, agent, callId, nth) {
    const { board } = agent.team;
    // Ensembles have no answers of their own, a third layer gains nothing, and code would have to run for every answer.
    const bases = board
      .ranked()
      .filter(
        ({ family, stackedOn, codes }) => family !== 'ENSEMBLE' && stackedOn.length + codes.length === 0,
      )
      .filter(({ id }) => stackOn.includes(id))
      .slice(0, mostBases(board))
      .map(({ id }) => id);
    const asked = { ...trial, quick: false, keepFree: 0 };
    return train(agent, callId, nth, 'train_stacked', asked, { bases, stackOn });
  },
});

/** A model answers in a column, or in one for each of several classes: more of them would drown the table's own. */
const MOST_ANSWER_COLUMNS = 120;
const MOST_ANSWER_CELLS = 20e6;

function mostBases(board: Blackboard): number {
  const classes = board.profile?.classes?.length ?? 1;
  const columns = Math.min(MOST_ANSWER_COLUMNS, MOST_ANSWER_CELLS / Math.max(1, board.size().rows));
  return Math.floor(columns / (classes > 2 ? classes : 1));
}

/**
 * Trains in turn, and puts what comes of it on the leaderboard. `layer`: the trials that a model of the second learns from, of those
 * that were named.
 */
function train(
  agent: AgentContext,
  callId: string,
  nth: number,
  tool: string,
  trial: TrialRequest,
  layer: { bases: readonly string[]; stackOn: readonly string[] } | null,
) {
  const { team } = agent;
  const { board, budget } = team;
  const isStacked = layer !== null;
  const bases = layer?.bases ?? [];
  const parameters: Parameters = Object.fromEntries(trial.parameters.map(({ name, value }) => [name, value]));
  const trialId = stableTrialId(
    trial.family,
    agent.run,
    nth,
    layer ? { parameters, stackOn: layer.stackOn } : parameters,
  );
  const origin = originOf(agent, callId);
  return step(agent, callId, {
    tool,
    label: trial.name,
    input: { family: trial.family, parameters, ...(isStacked ? { stackOn: bases } : {}) },
    hold: (work) => inTurn(agent, origin, work),
    refuse: () =>
      isStacked && bases.length < 2
        ? nothingToStackOn
        : (refuse(agent, trial, isStacked) ?? alreadyAsked(agent, trial, parameters, bases)),
    begin() {
      board.asked.add(configuration(trial, parameters, bases));
      if (trial.family !== 'BASELINE') board.trialsStarted += 1;
    },
    async run(io) {
      const isFirst = trial.quick && board.best() === null;
      const { mostRows, limitSeconds, timeoutSeconds } = budget.allowance({ ...trial, isStacked }, isFirst);
      const trained = await callToolkit(agent, io, {
        command: 'train',
        request: {
          trialId,
          family: trial.family,
          params: parameters,
          timeLimitSeconds: limitSeconds,
          timeIsGuard: team.job.options.maxTrials !== null,
          threads: threadsOf(team),
          seed: team.seed,
          mostRows,
          ...(isStacked ? { stackOn: bases } : {}),
        },
        result: trainResult,
        label: trial.name,
        timeoutSeconds,
        // What every score is held against costs next to nothing: reaching the goal does not stop it.
        softSignal: trial.family === 'BASELINE' ? team.stopSignal : team.searchSignal,
        noRetry: true,
      });
      for (const note of trained.notes) io.log('INFO', note);
      if (trained.boundByTime && team.job.options.maxTrials !== null) {
        io.log('WARNING', 'its time limit cut it short: the same job may come out differently another time');
      }
      return trained;
    },
    settle(result, end) {
      team.meter.trialFinished();
      return recordTrial(agent, {
        ...end,
        id: trialId,
        name: trial.name,
        family: trial.family,
        isPartial: trial.quick || result.sampled,
        call: nth,
        // What learns from a language model's trials is its too: the playbook alone had not come by it.
        origin: board.trials.some(({ id, origin: whose }) => bases.includes(id) && whose === 'LANGUAGE_MODEL')
          ? 'LANGUAGE_MODEL'
          : origin,
        codes: [],
        stackedOn: bases,
        parameters: result.parameters,
        result,
      });
    },
    failed(error) {
      team.meter.trialFinished();
      if (error.code !== 'STOPPED') board.addFailure(`${trial.name}: ${error.message}`);
    },
  });
}

const nothingToStackOn: StepError = {
  code: 'NOTHING_TO_STACK_ON',
  message:
    'Fewer than two of these trials can be built on: they are unknown, ensembles, stacked, need agent-written code, or there are too many classes.',
  hint: 'Name trials of the leaderboard that were trained on the columns alone.',
};

/** A trial's share of the cores. */
export const threadsOf = ({ cpus, slots }: Team): number => Math.max(1, Math.floor(cpus / slots.size));

/** Waits for a core: the two minds of a job take turns at them, and the agents of each. */
export function inTurn<R>({ team, run }: AgentContext, origin: Mind, work: () => Promise<R>): Promise<R> {
  const begin = async () => {
    // Time to start the toolkit, as after a restart, is none that the trial's own limits are made of.
    await team.toolkit.ready();
    return work();
  };
  return team.slots.hold(begin, origin, run);
}

/**
 * Where a language model and the playbook train side by side, a configuration is trained by whoever asks first: a seat that the
 * playbook takes over would go through the same portfolio again.
 */
function alreadyAsked(
  { team }: AgentContext,
  trial: TrialRequest,
  parameters: Parameters,
  bases: readonly string[],
): StepError | null {
  if (team.mind === 'PLAYBOOK' || !team.board.asked.has(configuration(trial, parameters, bases))) return null;
  return {
    code: 'ALREADY_TRIED',
    message: `${trial.name} is trained already, or is being trained: the leaderboard has it, or will.`,
    hint: 'Change a parameter, or make columns of your own.',
  };
}

const configuration = (
  { family, quick }: TrialRequest,
  parameters: Parameters,
  bases: readonly string[],
): string =>
  JSON.stringify([family, quick, Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1)), bases]);

/** The limits that hold whoever sits in the seat: stop, goal, number of trials, time. */
export function refuse(
  { team }: AgentContext,
  trial: { name: string; family: Family; quick: boolean; keepFree: number; mayBeSampled?: boolean },
  isStacked = false,
): StepError | null {
  const { board, budget } = team;
  const { maxTrials, goalScore } = team.job.options;
  const no = (code: string, message: string): StepError => ({ code, message, hint: null });
  if (team.stopSignal.aborted) return no('STOPPED', 'The search is over.');
  if (trial.family === 'BASELINE') return null;
  if (board.profile && board.reaches(goalScore)) return no('GOAL_REACHED', 'The goal is reached.');
  if (maxTrials !== null && board.trialsStarted >= maxTrials) {
    return no('MAX_TRIALS_REACHED', `All ${maxTrials} trials are used.`);
  }
  // The first model is tried whatever the estimates say: something usable beats nothing.
  if (board.best() === null && trial.quick && budget.left > 0) return null;
  if (budget.searchLeft === 0) return no('TIME_USED', 'The time for training is used.');
  if (!budget.fits({ ...trial, isStacked })) {
    const needed = budget.estimate(trial.family, isStacked).toFixed(0);
    const left = budget.leftFor(trial.keepFree).toFixed(0);
    return no(
      'NOT_ENOUGH_TIME',
      `${trial.name} is not started: it needs about ${needed} s and ${left} s are left for it.`,
    );
  }
  return null;
}
