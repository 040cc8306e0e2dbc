import { z } from 'zod';
import type { Mind } from '../../domain/vocabulary.ts';
import { isCodeFailure, withCodeServer } from '../code/serve-code.ts';
import type { AgentContext, Team } from '../context.ts';
import { formatScore, formatScores, recordTrial, resultSoFar, stableTrialId } from '../leaderboard.ts';
import { step } from '../step.ts';
import { type EvaluateResult, ensembleResult, evaluateResult } from '../toolkit-protocol.ts';
import { agentTool } from './agent-tool.ts';
import { toldOfEvaluation } from './told-answers.ts';
import { callToolkit } from './toolkit-call.ts';

/** Rounds of greedy selection; more changes little (Caruana et al. 2004; AutoGluon uses 25 to 100). */
const ENSEMBLE_ROUNDS = 40;

export const buildEnsemble = agentTool({
  name: 'build_ensemble',
  description:
    'Greedy weighted ensemble of the named trials on their out-of-fold predictions. It joins the leaderboard.',
  parameters: { trialIds: z.array(z.string()) },
  async execute({ trialIds }, agent, callId, nth) {
    const known = agent.team.board.ranked().filter(({ id }) => trialIds.includes(id));
    const own = known.filter(({ origin }) => origin === 'PLAYBOOK').map(({ id }) => id);
    // What the playbook would have made of its own models alone: what the language model's are held against.
    if (own.length > 1 && own.length < known.length) {
      await ensembleOf(agent, `${callId}#playbook`, nth, own, "Ensemble of the playbook's");
    }
    return ensembleOf(agent, callId, nth, trialIds, `Ensemble of ${trialIds.length}`);
  },
});

function ensembleOf(agent: AgentContext, callId: string, nth: number, trialIds: string[], label: string) {
  const { team } = agent;
  const trialId = stableTrialId('ENSEMBLE', agent.run, nth, trialIds);
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
        timeoutSeconds: team.budget.ensembleSeconds,
      }),
    settle(result, end) {
      const weights = Object.values(result.weights).filter((weight) => weight > 0);
      return recordTrial(agent, {
        ...end,
        id: trialId,
        name: `Ensemble (${weights.length} of ${trialIds.length} models)`,
        family: 'ENSEMBLE',
        isPartial: false,
        call: nth,
        ...ofMembers(team, Object.keys(result.weights)),
        parameters: { weights: result.weights, chosenAmong: trialIds },
        result,
      });
    },
  });
}

/** Whose an ensemble is, and what code it needs to answer. */
function ofMembers({ board }: Team, ids: readonly string[]): { origin: Mind; codes: readonly string[] } {
  const members = board.trials.filter(({ id }) => ids.includes(id));
  return {
    origin: members.some(({ origin }) => origin === 'LANGUAGE_MODEL') ? 'LANGUAGE_MODEL' : 'PLAYBOOK',
    codes: [...new Set(members.flatMap(({ codes }) => codes))],
  };
}

export const evaluateModel = agentTool({
  name: 'evaluate_model',
  description:
    'Every metric of the task on out-of-fold rows, with the weakest slices. With holdout: also, once and last, the sealed rows.',
  parameters: { trialId: z.string(), holdout: z.boolean() },
  told: toldOfEvaluation,
  async execute({ trialId, holdout }, agent, callId) {
    const { board } = agent.team;
    let answer = await evaluationOf(agent, callId, trialId, holdout);
    // The next best takes its place, until one answers: each time at least one trial is out.
    for (let attempt = 2; !answer.ok && isCodeFailure(answer.error.code); attempt += 1) {
      const next = board.best();
      if (!next) break;
      answer = await evaluationOf(agent, `${callId}#${attempt}`, next.id, holdout);
    }
    return answer;
  },
});

function evaluationOf(agent: AgentContext, callId: string, trialId: string, holdout: boolean) {
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
    run(io) {
      const seconds = team.budget.wrapUpSeconds();
      const codes = holdout ? (board.trials.find(({ id }) => id === trialId)?.codes ?? []) : [];
      return withCodeServer(team, { codes, seconds }, (codeServer, softSignal) =>
        callToolkit(agent, io, {
          command: 'evaluate',
          request: {
            trialId,
            holdout,
            seed: team.seed,
            timeLimitSeconds: team.budget.explanation,
            ...(codeServer ? { codeServer } : {}),
          },
          result: evaluateResult,
          label,
          timeoutSeconds: seconds,
          softSignal,
        }),
      );
    },
    // Where its code fails on rows that it never saw, a model is worth nothing whatever its validation score.
    failed(error) {
      if (isCodeFailure(error.code)) board.disqualify(trialId, error.message);
    },
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
}

/** What the interval is made of, where that is not single rows. */
function drawn({ intervalOf }: EvaluateResult): string {
  if (intervalOf?.drawn === 'GROUPS') return `, over ${intervalOf.units} groups drawn whole`;
  if (intervalOf?.drawn !== 'TIMES') return '';
  return `, over ${intervalOf.units} times drawn in stretches of ${intervalOf.length}`;
}
