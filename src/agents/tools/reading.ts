import { type Mind, reachesGoal } from '../../domain/vocabulary.ts';
import type { AgentContext, StopReason, Team } from '../context.ts';
import { step } from '../step.ts';
import { agentTool } from './agent-tool.ts';

/** What an agent reads before it decides. Journaled like any step, so that a resumed agent reads what the first one read. */

export interface Brief {
  task: string;
  metric: string;
  rows: number;
  features: number;
  folds: number;
  /** Trials that run at the same time. */
  parallel: number;
  seed: number;
  timeBudgetSeconds: number;
  trialsLeft: number | null;
  secondsLeft: number;
  /** The person's words: data for whoever can read them, never an order to the code. */
  instructions: string | null;
}

export const readBrief = agentTool({
  name: 'read_brief',
  description:
    'The job as it stands: task, metric, size of the table, folds, trials left, what the person asked for.',
  parameters: {},
  async execute(_input, agent, callId) {
    return step<Brief>(agent, callId, {
      tool: 'read_brief',
      label: 'Read the brief',
      input: {},
      quiet: true,
      async run() {
        const { board, budget, job, slots, seed } = agent.team;
        return {
          task: board.profile?.task ?? 'unknown',
          metric: board.metric,
          ...board.size(),
          parallel: slots.size,
          seed,
          timeBudgetSeconds: job.options.timeBudgetSeconds,
          trialsLeft: trialsToPlan(agent),
          secondsLeft: Math.round(budget.searchLeft),
          instructions: job.options.instructions,
        };
      },
    });
  },
});

export interface LeaderboardEntry {
  id: string;
  name: string;
  family: string;
  score: number;
  seconds: number;
  parameters: Readonly<Record<string, unknown>>;
  /** The trials that a model of the second layer learns from; left out where it is of the first. */
  stackedOn?: readonly string[];
  /** Whether agent-written code must run for its answers; left out where none must. */
  needsCode?: boolean;
  /** Whose idea it was; said where there are two minds. */
  origin?: Mind;
}

export const readLeaderboard = agentTool({
  name: 'read_leaderboard',
  description: 'Trials and ensembles, best first: score, parameters, seconds.',
  parameters: {},
  async execute(_input, agent, callId) {
    return step<LeaderboardEntry[]>(agent, callId, {
      tool: 'read_leaderboard',
      label: 'Read the leaderboard',
      input: {},
      quiet: true,
      async run() {
        return agent.team.board.ranked().map((trial) => ({
          id: trial.id,
          name: trial.name,
          family: trial.family,
          score: trial.score,
          seconds: trial.wallSeconds,
          parameters: trial.parameters,
          ...(trial.stackedOn.length > 0 ? { stackedOn: trial.stackedOn } : {}),
          ...(trial.codes.length > 0 ? { needsCode: true } : {}),
          ...(agent.team.mind === 'LANGUAGE_MODEL' ? { origin: trial.origin } : {}),
        }));
      },
    });
  },
});

/** How the search stands: what the orchestrator decides by after each delegation. */
export interface Standing {
  best: { id: string; name: string; score: number } | null;
  models: number;
  modelsSinceGain: number;
  patience: number;
  trialsLeft: number | null;
  goalReached: boolean;
  stopped: StopReason | null;
  /** Seconds of the cheapest kind of trial worth tuning. */
  cheapestTrialSeconds: number;
  secondsLeft: number;
}

export function standing(team: Team): Standing {
  const { board, budget, job } = team;
  const best = board.best();
  const { goalScore } = job.options;
  const models = board.trials.filter((trial) => !trial.isBaseline && trial.family !== 'ENSEMBLE');
  const first = models.filter(({ stackedOn }) => stackedOn.length === 0);
  return {
    best: best && { id: best.id, name: best.name, score: best.score },
    models: models.length,
    modelsSinceGain: board.modelsSinceGain(),
    patience: board.patience(),
    trialsLeft: trialsLeft(team),
    goalReached: goalScore !== null && best !== null && reachesGoal(board.metric, best.score, goalScore),
    stopped: team.stopReason(),
    cheapestTrialSeconds: first.length === 0 ? 0 : Math.min(...first.map((trial) => trial.wallSeconds)),
    secondsLeft: Math.round(budget.searchLeft * 1000) / 1000,
  };
}

/** How many trials an agent may plan with: what is left, save where the playbook plans beside a language model or after it. */
function trialsToPlan({ team, trialShare }: AgentContext): number | null {
  const { maxTrials } = team.job.options;
  if (maxTrials === null || trialShare === undefined) return trialsLeft(team);
  return Math.ceil(maxTrials * trialShare);
}

function trialsLeft({ board, job }: Team): number | null {
  const { maxTrials } = job.options;
  return maxTrials === null ? null : Math.max(0, maxTrials - board.trialsStarted);
}
