import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { FAMILIES, type Family } from '../../domain/vocabulary.ts';
import type { Idea } from '../blackboard.ts';
import { runCode } from '../code/run-code.ts';
import { label as asLabel, cleaned } from '../code/told.ts';
import type { AgentContext } from '../context.ts';
import { recordTrial, stableTrialId } from '../leaderboard.ts';
import { once } from '../once.ts';
import { originOf } from '../origin.ts';
import { type StepAnswer, type StepError, step } from '../step.ts';
import { type Parameters, trainResult } from '../toolkit-protocol.ts';
import { agentTool } from './agent-tool.ts';
import { codeRefused, forLanguageModels, notSplitYet } from './looking.ts';
import { callToolkit } from './toolkit-call.ts';
import { inTurn, refuse, threadsOf, trialShape } from './training.ts';

/** Code that a language model writes: it proposes, and our own harness cross-validates it on the folds that every trial has. */

/** A broken idea is repaired so often; then another one is due (AIDE's depth). */
const MOST_REPAIRS = 3;
const MOST_SOURCE = 20_000;
/** Of the search time left, so much one piece of code may run, and in any case so many seconds. */
const CODE_SHARE = 0.3;
const LEAST_CODE_SECONDS = 20;
/** Of the whole time, on one core, the most that goes into code of which nothing comes. */
const MOST_LOST = 0.25;

const ideaShape = {
  name: z.string().describe('Short and for people: "Ratio of c3 to c5".'),
  plan: z
    .string()
    .describe('What you expect of it, and why: one atomic change to the best so far, or a new draft.'),
  code: z.string().max(MOST_SOURCE).describe('A whole Python module as plain text.'),
  repairs: z
    .string()
    .nullable()
    .describe('The id of the failed idea that this one repairs; null for a new one.'),
};
type IdeaInput = { name: string; plan: string; code: string; repairs: string | null };

export const writeFeatures = agentTool({
  name: 'write_features',
  description: `Tries columns that you compute. The module defines features(frame) -> DataFrame of new columns, each row from itself alone;
or fit(frame, target) -> state and transform(frame, state) -> DataFrame where something must be learnt: fit sees the training rows of a
fold only, transform never sees a target. \`frame\` has the columns c0, c1 … of read_columns: floats (NaN is missing), strings (None),
datetimes. A column returned under the id of a given one replaces it; \`drop\` names columns to leave out. numpy, pandas, scipy and
scikit-learn are there; no network and no files. Rows may lack values and hold values never seen. The columns are added to the job's
own and the family is cross-validated on the fixed folds.`,
  parameters: {
    ...ideaShape,
    drop: z.array(z.string()).describe('Ids of columns the family shall not see.'),
    family: z.enum(FAMILIES).exclude(['BASELINE', 'ENSEMBLE', 'CODE']),
    parameters: trialShape.parameters,
  },
  offered: (agent) => forLanguageModels(agent) && codeRefused(agent) === null,
  async execute({ drop, family, parameters, ...idea }, agent, callId, nth) {
    const asked = Object.fromEntries(parameters.map(({ name, value }) => [name, value]));
    return tryCode(agent, callId, nth, { ...idea, kind: 'FEATURES', family, parameters: asked, drop });
  },
});

export const writePipeline = agentTool({
  name: 'write_pipeline',
  description: `Tries a whole model of yours. The module defines build() -> an object with fit(frame, target) and predict_proba(frame)
(classification: one column for each class number 0, 1 …) or predict(frame) (regression), as scikit-learn's have. It gets the raw columns
c0, c1 … and must deal with missing and unseen values itself. scikit-learn, lightgbm and catboost are there; no network and no files. It is
fitted and asked fold by fold; the score is computed by the harness.`,
  parameters: ideaShape,
  offered: (agent) => forLanguageModels(agent) && codeRefused(agent) === null,
  async execute(idea, agent, callId, nth) {
    return tryCode(agent, callId, nth, {
      ...idea,
      kind: 'PIPELINE',
      family: 'CODE',
      parameters: {},
      drop: [],
    });
  },
});

export const readIdeas = agentTool({
  name: 'read_ideas',
  description:
    'What code was tried in this job: the best ideas with their code and score, and what failed and why.',
  parameters: {},
  offered: forLanguageModels,
  async execute(_input, agent, callId) {
    return step(agent, callId, {
      tool: 'read_ideas',
      label: 'Read the ideas',
      input: {},
      quiet: true,
      run: async () => memoryOf(agent),
    });
  },
});

const BEST_SHOWN = 5;
const FAILURES_SHOWN = 5;

/** AIDE's memory: plan and finding of each good node, and what not to do again. */
function memoryOf({ team }: AgentContext) {
  const { board } = team;
  const places = new Map(board.ranked().map(({ id }, place) => [id, place]));
  const placeOf = ({ trialId }: Idea) => places.get(trialId ?? '') ?? Number.POSITIVE_INFINITY;
  const worked = board.ideas.filter(({ score }) => score !== null).sort((a, b) => placeOf(a) - placeOf(b));
  const failed = board.ideas.filter(({ score }) => score === null).slice(-FAILURES_SHOWN);
  const told = ({ at: _at, ...idea }: Idea) => idea;
  return {
    bestOfPlaybook: board.bestOfPlaybook()?.score ?? null,
    best: worked.slice(0, BEST_SHOWN).map(told),
    failed: failed.map(({ source: _source, ...idea }) => told({ ...idea, source: '' })),
  };
}

interface CodeTrial extends IdeaInput {
  kind: Idea['kind'];
  family: Family;
  parameters: Parameters;
  drop: string[];
}

async function tryCode(agent: AgentContext, callId: string, nth: number, asked: CodeTrial) {
  const { team } = agent;
  const { board, budget } = team;
  const id = codeId(agent, nth, asked);
  const trialId = stableTrialId(asked.family, agent.run, nth, [id, asked.parameters, asked.drop]);
  const origin = originOf(agent, callId);
  const label = asLabel(asked.name) || 'Code without a name';
  const artifact = `${id}.py`;
  const counted = team.job.options.maxTrials !== null;
  const idea = {
    id,
    name: label,
    plan: cleaned(asked.plan),
    kind: asked.kind,
    source: asked.code,
    repairs: asked.repairs,
  };
  const refusal = () =>
    codeRefused(agent) ??
    notSplitYet(agent) ??
    tooManyRepairs(board.ideas, asked.repairs) ??
    timeLost(agent) ??
    refuse(agent, { name: label, family: asked.family, quick: false, keepFree: 0, mayBeSampled: false });
  if (refusal() === null) await saveCode(agent, callId, artifact, asked, label);

  const answer: StepAnswer<z.output<typeof trainResult>> = await step(agent, callId, {
    tool: asked.kind === 'FEATURES' ? 'write_features' : 'write_pipeline',
    label,
    input: { plan: idea.plan, code: artifact, repairs: asked.repairs, ...configurationOf(asked) },
    hold: (work) => inTurn(agent, origin, work),
    refuse: refusal,
    begin() {
      board.trialsStarted += 1;
    },
    async run(io) {
      const threads = threadsOf(team);
      const seconds = budget.trialLimit(0);
      const startedAt = budget.elapsed;
      // An endless loop must not eat what the others could use.
      const ofCode = Math.min(seconds, Math.max(LEAST_CODE_SECONDS, CODE_SHARE * budget.searchLeft));
      const code = await runCode(agent, io, { id, source: asked.code }, { seconds: ofCode, label, threads });
      const left = Math.max(1, seconds - (budget.elapsed - startedAt));
      return callToolkit(agent, io, {
        command: 'train',
        request: {
          trialId,
          family: asked.family,
          params: asked.parameters,
          code: { id, answers: code.answers, drop: asked.drop, looked: team.shareSamples ?? false },
          timeLimitSeconds: left,
          timeIsGuard: counted,
          threads,
          seed: team.seed,
          mostRows: null,
        },
        result: trainResult,
        label,
        timeoutSeconds: Math.min(left * 1.25 + 5, budget.searchLeft + budget.reserve / 2),
        softSignal: team.searchSignal,
        noRetry: true,
      });
    },
    settle(result, end) {
      board.addIdea({ ...idea, trialId, score: result.score, error: null, at: end.at });
      const parameters = {
        ...result.parameters,
        code: artifact,
        ...(asked.drop.length > 0 ? { drop: asked.drop } : {}),
      };
      const codes = [id];
      return recordTrial(agent, {
        ...end,
        id: trialId,
        name: label,
        family: asked.family,
        isPartial: false,
        call: nth,
        parameters,
        origin,
        codes,
        result,
      });
    },
    failed(error, { at, seconds }) {
      board.lostToCode += seconds;
      const said = `${error.code}: ${error.message}`;
      board.addIdea({ ...idea, trialId: null, score: null, error: said, at });
    },
  });
  if (!answer.ok) return { ...answer, id };
  return { ok: true, id, result: verdict(agent, trialId, answer.result), secondsLeft: answer.secondsLeft };
}

/** What its author learns of a trial that ended: how it stands beside the best, and beside the playbook's own. */
function verdict({ team }: AgentContext, trialId: string, result: z.output<typeof trainResult>) {
  const ranked = team.board.ranked();
  const place = ranked.findIndex(({ id }) => id === trialId);
  return {
    trialId,
    score: result.score,
    foldScores: result.foldScores,
    place: place + 1,
    of: ranked.length,
    isBest: place === 0,
    best: ranked[0]?.score ?? null,
    bestOfPlaybook: team.board.bestOfPlaybook()?.score ?? null,
    // Names of columns may be made of cells, as those of dummies are.
    ...(team.shareSamples ? { notes: result.notes.filter((note) => note.startsWith('columns made')) } : {}),
  };
}

const configurationOf = ({ kind, family, parameters, drop }: CodeTrial) =>
  kind === 'FEATURES' ? { family, parameters, drop } : {};

const codeId = ({ run }: AgentContext, nth: number, asked: CodeTrial): string => {
  const hash = createHash('sha256')
    .update(JSON.stringify([run, nth, asked.kind, asked.code]))
    .digest('hex');
  return `${asked.kind.toLowerCase()}-${hash.slice(0, 8)}`;
};

/** A model that writes nothing that works must not take the time of what does. */
function timeLost({ team }: AgentContext): StepError | null {
  if (team.board.lostToCode < MOST_LOST * team.budget.total) return null;
  const message = 'Code that failed has used the share of the time that it may.';
  return { code: 'CODE_TIME_USED', message, hint: 'Work with families and parameters alone, or finish.' };
}

/** How many repairs lead to this one, itself included. */
function tooManyRepairs(ideas: readonly Idea[], repairs: string | null): StepError | null {
  let depth = 0;
  for (let id = repairs; id !== null && depth <= MOST_REPAIRS; depth += 1) {
    const parent = ideas.find((idea) => idea.id === id);
    if (!parent) {
      return {
        code: 'IDEA_NOT_FOUND',
        message: `There is no idea "${asLabel(id)}".`,
        hint: 'See read_ideas.',
      };
    }
    id = parent.repairs;
  }
  if (depth <= MOST_REPAIRS) return null;
  const message = `This idea was repaired ${MOST_REPAIRS} times already.`;
  return { code: 'REPAIRS_USED', message, hint: 'Drop it and try another one.' };
}

/** Every code that is tried stands among the artifacts, with its plan above it. */
async function saveCode(agent: AgentContext, callId: string, name: string, asked: CodeTrial, label: string) {
  const { team } = agent;
  const key = `${agent.run}#${callId}#code`;
  team.signal.throwIfAborted();
  if (await team.recorder.finishedStep(key)) return;
  const comment = [`Written by a language model: ${label}`, cleaned(asked.plan)].join('\n');
  const header = comment
    .split('\n')
    .map((line) => `# ${line}`.trimEnd())
    .join('\n');
  const content = Readable.from([`${header}\n\n${asked.code}\n`]);
  await team.recorder.saveArtifact({
    name,
    kind: 'CODE',
    contentType: 'text/x-python; charset=utf-8',
    content,
  });
  await once(agent, key, []);
}
