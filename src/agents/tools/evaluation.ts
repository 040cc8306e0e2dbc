import { z } from 'zod';
import { formatScore, formatScores, recordTrial, resultSoFar, stableTrialId } from '../leaderboard.ts';
import { step } from '../step.ts';
import { type EvaluateResult, ensembleResult, evaluateResult } from '../toolkit-protocol.ts';
import { agentTool } from './agent-tool.ts';
import { callToolkit } from './toolkit-call.ts';

/** Rounds of greedy selection; more changes little (Caruana et al. 2004; AutoGluon uses 25 to 100). */
const ENSEMBLE_ROUNDS = 40;

export const buildEnsemble = agentTool({
  name: 'build_ensemble',
  description:
    'Greedy weighted ensemble of the named trials on their out-of-fold predictions. It joins the leaderboard.',
  parameters: { trialIds: z.array(z.string()) },
  async execute({ trialIds }, agent, callId, nth) {
    const { team } = agent;
    const trialId = stableTrialId('ENSEMBLE', agent.run, nth, trialIds);
    const label = `Ensemble of ${trialIds.length}`;
    return step(agent, callId, {
      tool: 'build_ensemble',
      label,
      input: { trialIds },
      run: (io) =>
        callToolkit(agent, io, {
          command: 'ensemble',
          request: { trialId, trialIds, rounds: ENSEMBLE_ROUNDS },
          result: ensembleResult,
          label,
          timeoutSeconds: team.budget.wrapUpSeconds(),
        }),
      settle(result, end) {
        const weights = Object.values(result.weights).filter((weight) => weight > 0);
        return recordTrial(agent, {
          ...end,
          id: trialId,
          name: `Ensemble (${weights.length} of ${trialIds.length} models)`,
          family: 'ENSEMBLE',
          isQuick: false,
          call: nth,
          parameters: { weights: result.weights, chosenAmong: trialIds },
          result,
        });
      },
    });
  },
});

export const evaluateModel = agentTool({
  name: 'evaluate_model',
  description:
    'Every metric of the task on out-of-fold rows, with the weakest slices. With holdout: also, once and last, the sealed rows.',
  parameters: { trialId: z.string(), holdout: z.boolean() },
  async execute({ trialId, holdout }, agent, callId) {
    const { team } = agent;
    const { board } = team;
    const sealed = holdout && board.split?.holdoutRows !== 0;
    const label = sealed ? 'Score on the sealed holdout' : 'Score in cross-validation';
    return step(agent, callId, {
      tool: 'evaluate_model',
      label,
      input: { trialId, holdout },
      // The honest number is taken once: a second look would be a choice made by it.
      refuse: () =>
        holdout && board.holdout
          ? { code: 'HOLDOUT_ALREADY_SCORED', message: 'The sealed rows are scored once.', hint: null }
          : null,
      run: (io) =>
        callToolkit(agent, io, {
          command: 'evaluate',
          request: { trialId, holdout, seed: team.seed, timeLimitSeconds: team.budget.explanation },
          result: evaluateResult,
          label,
          timeoutSeconds: team.budget.wrapUpSeconds(),
        }),
      settle(evaluation) {
        if (holdout) board.holdout = evaluation;
        else board.validation = evaluation;
        const result = resultSoFar(team);
        const { interval } = evaluation;
        const score = evaluation.holdout?.[board.metric] ?? null;
        const message =
          score === null
            ? `In cross-validation: ${formatScores(evaluation.validation)}`
            : `On the sealed holdout: ${board.metric} ${formatScore(score)}` +
              (interval
                ? ` (95% between ${formatScore(interval.low)} and ${formatScore(interval.high)}${drawn(evaluation)})`
                : '');
        return {
          message,
          events: evaluation.warnings.map((warning) => ({
            type: 'LogWritten',
            level: 'WARNING',
            step: label,
            stage: team.meter.stage,
            agent: agent.role,
            message: warning.message,
          })),
          ...(result ? { changes: { result } } : {}),
        };
      },
    });
  },
});

/** What the interval is made of, where that is not single rows. */
function drawn({ intervalOf }: EvaluateResult): string {
  if (intervalOf?.drawn === 'GROUPS') return `, over ${intervalOf.units} groups drawn whole`;
  if (intervalOf?.drawn !== 'TIMES') return '';
  return `, over ${intervalOf.units} times drawn in stretches of ${intervalOf.length}`;
}
