import { SproutError } from '../../domain/errors.ts';
import type { BoardTrial } from '../blackboard.ts';
import { isCodeFailure, withCodeServer } from '../code/serve-code.ts';
import type { AgentContext } from '../context.ts';
import { resultSoFar } from '../leaderboard.ts';
import { noModel } from '../no-model.ts';
import { once } from '../once.ts';
import { enterStage } from '../stage.ts';
import { type StepIo, step } from '../step.ts';
import { type ReportResult, reportResult } from '../toolkit-protocol.ts';
import { agentTool } from './agent-tool.ts';
import { type FastModel, fitFastModel } from './fast-model.ts';
import { callToolkit } from './toolkit-call.ts';

export const writeReport = agentTool({
  name: 'write_report',
  description:
    'Writes model, metrics, predictions, plots, code and report for the best trial, and saves them as artifacts.',
  parameters: {},
  async execute(_input, agent, callId) {
    await enterStage(agent, callId, 'REPORTING');
    const { team } = agent;
    const { board } = team;
    if (!board.best()) throw noModel(team);
    const fastModel = await fitFastModel(agent, callId);
    const answer = await reportOnBest(agent, callId, fastModel);
    await saveArtifacts(agent, callId, answer.result);
    return answer;
  },
});

/** Reports on the best; where its agent-written code fails now, on the best without it. */
async function reportOnBest(agent: AgentContext, callId: string, fastModel: FastModel) {
  const { team } = agent;
  const { board } = team;
  for (let attempt = 1; ; attempt += 1) {
    const best = board.best();
    if (!best) throw noModel(team);
    const key = attempt === 1 ? callId : `${callId}#${attempt}`;
    const answer = await step<ReportResult>(agent, key, {
      tool: 'write_report',
      label: 'Write the report',
      input: { trialId: best.id },
      // Of code that fails there is an end: each time at least one trial is out.
      failureIsFatal: best.codes.length === 0,
      run: (io) => writtenWith(agent, io, best, fastModel),
      failed(error) {
        if (isCodeFailure(error.code)) board.disqualify(best.id, error.message);
      },
      settle(report) {
        board.report = report;
        const result = resultSoFar(team, report.summary);
        return {
          message: `${report.files.length} files written`,
          ...(result ? { changes: { result } } : {}),
        };
      },
    });
    if (answer.ok) return answer;
    if (!isCodeFailure(answer.error.code)) throw new SproutError(answer.error.code, answer.error.message);
  }
}

function writtenWith(
  agent: AgentContext,
  io: StepIo,
  best: BoardTrial,
  fastModel: FastModel,
): Promise<ReportResult> {
  const { team } = agent;
  const seconds = team.budget.wrapUpSeconds() * 2;
  return withCodeServer(team, { codes: best.codes, seconds }, (codeServer, softSignal) =>
    callToolkit(agent, io, {
      command: 'report',
      request: { ...reportRequest(agent, best.id, fastModel), ...(codeServer ? { codeServer } : {}) },
      result: reportResult,
      label: 'Write the report',
      timeoutSeconds: seconds,
      softSignal,
    }),
  );
}

function reportRequest({ team }: AgentContext, trialId: string, fastModel: FastModel) {
  const { job, dataset, board, mind, budget } = team;
  const { options } = job;
  return {
    trialId,
    job: {
      id: job.id,
      name: options.name,
      createdAt: job.createdAt.toISOString(),
      targetColumn: options.targetColumn,
      task: board.profile?.task ?? null,
      metric: board.metric,
      timeBudgetSeconds: options.timeBudgetSeconds,
      mind,
      sandbox: job.sandbox,
      datasetName: dataset.name,
      instructions: options.instructions,
    },
    trials: [...board.ranked(), ...board.trials.filter(({ isBaseline }) => isBaseline)].map(
      ({
        isPartial: _partial,
        modelBytes: _bytes,
        wallSeconds: _wall,
        at: _at,
        asked: _asked,
        codes: _codes,
        stackedOn: _stackedOn,
        ...trial
      }) => ({
        ...trial,
        isBest: trial.id === trialId,
      }),
    ),
    fastModel,
    playbookScore: mind === 'LANGUAGE_MODEL' ? (board.bestOfPlaybook()?.score ?? null) : null,
    ideas: board.ideas.map(({ at: _at, ...idea }) => idea),
    history: board.history(),
    decisions: board.decisions,
    log: board.log,
    seconds: budget.elapsed,
  };
}

/** Streams each file out of the sandbox, once over all attempts; a file saved twice replaces itself. */
async function saveArtifacts(agent: AgentContext, callId: string, report: ReportResult): Promise<void> {
  const { team, run } = agent;
  for (const file of report.files) {
    const key = `${run}#${callId}#artifact/${file.name}`;
    if (await team.recorder.finishedStep(key)) continue;
    team.signal.throwIfAborted();
    const { stream } = await team.readFile(file.path);
    const { name, kind, contentType } = file;
    await team.recorder.saveArtifact({ name, kind, contentType, content: stream });
    await once(agent, key, []);
  }
}
