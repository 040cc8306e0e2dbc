import { SproutError } from '../../domain/errors.ts';
import type { AgentContext } from '../context.ts';
import { resultSoFar } from '../leaderboard.ts';
import { noModel } from '../no-model.ts';
import { once } from '../once.ts';
import { enterStage } from '../stage.ts';
import { step } from '../step.ts';
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
    const best = board.best();
    if (!best) throw noModel(team);
    const fastModel = await fitFastModel(agent, callId);
    const answer = await step<ReportResult>(agent, callId, {
      tool: 'write_report',
      label: 'Write the report',
      input: { trialId: best.id },
      failureIsFatal: true,
      run: (io) =>
        callToolkit(agent, io, {
          command: 'report',
          request: reportRequest(agent, best.id, fastModel),
          result: reportResult,
          label: 'Write the report',
          timeoutSeconds: team.budget.wrapUpSeconds() * 2,
        }),
      settle(report) {
        board.report = report;
        const result = resultSoFar(team, report.summary);
        return {
          message: `${report.files.length} files written`,
          ...(result ? { changes: { result } } : {}),
        };
      },
    });
    if (!answer.ok) throw new SproutError(answer.error.code, answer.error.message);
    await saveArtifacts(agent, callId, answer.result);
    return answer;
  },
});

function reportRequest({ team }: AgentContext, trialId: string, fastModel: FastModel): unknown {
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
      ({ isQuick: _quick, wallSeconds: _wall, at: _at, asked: _asked, ...trial }) => ({
        ...trial,
        isBest: trial.id === trialId,
      }),
    ),
    fastModel,
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
