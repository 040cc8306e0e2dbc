import { z } from 'zod';
import { choosePortfolio, unclocked } from './portfolio.ts';
import { answersOf, called, type Moves, type View } from './view.ts';

const brief = z.object({
  metric: z.string().default(''),
  rows: z.number(),
  timeBudgetSeconds: z.number(),
  secondsLeft: z.number(),
  parallel: z.int(),
  trialsLeft: z.int().nullable(),
});

export function masterTrainerPlaybook(view: View): Moves {
  if (called(view, 'read_brief') === 0) return [{ tool: 'read_brief' }];
  if (called(view, 'delegate_trials') === 0) {
    const job = answersOf(view, 'read_brief', brief)[0];
    if (!job) return [{ tool: 'finish', input: { outcome: 'The brief could not be read.' } }];
    return choosePortfolio(job.trialsLeft === null ? job : { ...job, ...unclocked(job) }).map(
      ({ group, why, trials, together }) => ({
        tool: 'delegate_trials',
        why,
        input: { group, trials, together },
      }),
    );
  }
  const best = answersOf(
    view,
    'delegate_trials',
    z.object({ models: z.int(), best: z.object({ name: z.string() }).nullable() }),
  );
  const models = Math.max(0, ...best.map((standing) => standing?.models ?? 0));
  const leader = best.findLast((standing) => standing?.models === models)?.best?.name ?? 'none';
  return [{ tool: 'finish', input: { outcome: `${models} models trained; the best is ${leader}.` } }];
}
