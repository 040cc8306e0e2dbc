import { z } from 'zod';
import { formatScore } from '../leaderboard.ts';
import { answersOf, called, type Moves, type View } from './view.ts';

const profile = z.object({ usableRows: z.int(), task: z.string(), metric: z.string() });
const brief = z.object({ timeBudgetSeconds: z.number(), instructions: z.string().nullable() });
const standing = z.object({
  best: z.object({ name: z.string(), score: z.number() }).nullable(),
  models: z.int(),
  modelsSinceGain: z.int(),
  patience: z.int(),
  trialsLeft: z.int().nullable(),
  goalReached: z.boolean(),
  stopped: z.enum(['cancelled', 'deadline']).nullable(),
  cheapestTrialSeconds: z.number(),
  secondsLeft: z.number(),
});
type Standing = z.output<typeof standing>;

/** A short job wants its first scores sooner; a tiny table has too few rows for more. */
const SHORT_BUDGET_SECONDS = 180;
const TINY_TABLE_ROWS = 60;
/** Of more rows, even with a fifth of them sealed, the toolkit's own choice is fewer. */
const LARGE_TABLE_ROWS = 62_500;

/** Profile, split, prepare, train, evaluate; tune and evaluate while it pays; seal the score, report. */
export function orchestratorPlaybook(view: View): Moves {
  if (called(view, 'profile_table') === 0) {
    return [{ tool: 'profile_table', why: 'First I look at what the table holds.' }];
  }
  if (called(view, 'read_brief') === 0) return [{ tool: 'read_brief' }];
  if (called(view, 'split_table') === 0) return split(view);
  if (called(view, 'delegate_preprocessing') === 0) return [{ tool: 'delegate_preprocessing' }];
  if (called(view, 'delegate_training') === 0) {
    return [
      {
        tool: 'delegate_training',
        why: 'A usable model first, then one of every kind that suits this table: the ensemble lives on their differences.',
      },
    ];
  }
  if (called(view, 'write_report') === 1) {
    return [{ tool: 'finish', input: { outcome: 'Model, metrics, plots and report are ready.' } }];
  }
  if (view.calls.some((call) => call.name === 'delegate_evaluation' && isFinal(call.input))) {
    return [{ tool: 'write_report' }];
  }
  return search(view);
}

function split(view: View): Moves {
  const table = answersOf(view, 'profile_table', profile)[0];
  const job = answersOf(view, 'read_brief', brief)[0];
  const rows = table?.usableRows ?? 0;
  const hurried = (job?.timeBudgetSeconds ?? 0) < SHORT_BUDGET_SECONDS && rows <= LARGE_TABLE_ROWS;
  const few = rows < TINY_TABLE_ROWS || hurried;
  const asked = job?.instructions
    ? ' The playbook works by its own rules and cannot read the instructions; a language model in the seats would.'
    : '';
  return [
    {
      tool: 'split_table',
      why: `${table?.task ?? 'The task'} scored by ${table?.metric ?? 'its metric'}; the rows are split before anything learns from them.${asked}`,
      input: { folds: few ? 5 : null },
    },
  ];
}

/** Tune and evaluate in turn until goal, no gain, no trials or no time is left. */
function search(view: View): Moves {
  const trained = answersOf(view, 'delegate_training', standing);
  const evaluated = answersOf(view, 'delegate_evaluation', standing);
  const tuned = answersOf(view, 'delegate_tuning', standing);
  const unseen = trained.length + tuned.length > evaluated.length;
  const now = (unseen ? (tuned.at(-1) ?? trained.at(-1)) : evaluated.at(-1)) ?? null;
  if (now === null) return finalEvaluation('its state could not be read');

  // A round for which nothing fitted would be followed by another, and another.
  if (unseen && tuned.length > 0 && now.models === evaluated.at(-1)?.models) {
    return finalEvaluation('no further model fits the time left');
  }
  const limit = limitReached(now);
  // The final evaluation builds the ensemble too: none of what little is left goes into a round before it.
  if (limit !== null) return finalEvaluation(limit);
  if (unseen) return [{ tool: 'delegate_evaluation', input: { final: false } }];
  // Judged after an evaluation, for the ensemble may gain where no single model did. One round is always tuned.
  if (tuned.length > 0 && now.modelsSinceGain >= now.patience) {
    return finalEvaluation(`the last ${now.modelsSinceGain} models brought no gain that counts`);
  }
  const leader = now.best
    ? `${now.best.name} leads with ${formatScore(now.best.score)}`
    : 'Nothing leads yet';
  return [
    {
      tool: 'delegate_tuning',
      input: { round: tuned.length + 1 },
      why: `${leader} and there is time: small changes around the best may gain more.`,
    },
  ];
}

const finalEvaluation = (why: string): Moves => [
  {
    tool: 'delegate_evaluation',
    input: { final: true },
    why: `The search ends: ${why}. Now the sealed rows are scored, once.`,
  },
];

function limitReached(now: Standing): string | null {
  if (now.stopped === 'cancelled') return 'the job was cancelled and the best so far is kept';
  if (now.goalReached) return 'the goal is reached';
  if (now.trialsLeft === 0) return 'all trials are used';
  if (now.stopped === 'deadline' || now.secondsLeft < now.cheapestTrialSeconds + 1) return 'the time is used';
  return null;
}

const isFinal = (input: unknown): boolean => z.object({ final: z.literal(true) }).safeParse(input).success;
