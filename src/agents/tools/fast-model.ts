import { isBetter } from '../../domain/vocabulary.ts';
import type { BoardTrial } from '../blackboard.ts';
import type { AgentContext, Team } from '../context.ts';
import { type StepError, step } from '../step.ts';
import { type RefitResult, refitResult } from '../toolkit-protocol.ts';
import { callToolkit } from './toolkit-call.ts';

/** Of what the best single model gains on the baseline, a light one must keep this share to be worth its file. */
const GAIN_KEPT = 0.9;
const LABEL = 'Fit a light model on all training rows';

/** Whose configuration the light model beside the winner has; null where there is none, with the reason in words. */
export interface FastModel {
  trialId: string | null;
  reason: string | null;
}

/** Fits the best single model that there is time for once on all training rows. Never fails the job. */
export async function fitFastModel(agent: AgentContext, callId: string): Promise<FastModel> {
  const { team } = agent;
  const trialIds = lightCandidates(team).map(({ id }) => id);
  const answer = await step<RefitResult>(agent, `${callId}#fast`, {
    tool: 'fit_fast_model',
    label: LABEL,
    input: { trialIds },
    refuse: () => refuse(team),
    run(io) {
      const seconds = team.budget.refitSeconds;
      return callToolkit(agent, io, {
        command: 'refit',
        request: { trialIds, timeLimitSeconds: seconds * 0.8, threads: team.cpus, seed: team.seed },
        result: refitResult,
        label: LABEL,
        timeoutSeconds: seconds,
        softSignal: team.stopSignal,
        noRetry: true,
      });
    },
    settle: ({ reason, seconds }) => ({
      message: reason === null ? `${LABEL}: done in ${seconds.toFixed(1)} s` : `No light model: ${reason}`,
    }),
  });
  if (answer.ok) return { trialId: answer.result.trialId, reason: answer.result.reason };
  return { trialId: null, reason: answer.error.message };
}

/** Single models, best first, that do nearly as well as the best of them. */
function lightCandidates({ board }: Team): BoardTrial[] {
  // A light model needs neither anybody's code nor other models to answer.
  const singles = board
    .ranked()
    .filter(({ family, codes, stackedOn }) => family !== 'ENSEMBLE' && codes.length + stackedOn.length === 0);
  const [best] = singles;
  const baseline = board.baseline();
  if (!best || !baseline) return singles.slice(0, 1);
  const least = baseline.score + GAIN_KEPT * (best.score - baseline.score);
  return singles.filter((trial) => trial === best || !isBetter(board.metric, least, trial.score));
}

function refuse(team: Team): StepError | null {
  const no = (message: string): StepError => ({ code: 'NOT_ENOUGH_TIME', message, hint: null });
  if (team.stopReason() === 'cancelled') return no('the job was cancelled before it was fitted');
  if (team.budget.refitSeconds === 0) return no('the time was used up for the best one');
  return null;
}
