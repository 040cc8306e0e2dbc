import { z } from 'zod';
import { called, type Moves, type View } from './view.ts';

const assignment = z.object({
  trials: z.array(z.record(z.string(), z.unknown())),
  together: z.boolean(),
});
const failure = z.object({ ok: z.literal(false), error: z.object({ code: z.string() }) });
/** Refusals after which no other trial would be taken either. */
const SEARCH_OVER: ReadonlySet<string> = new Set([
  'STOPPED',
  'GOAL_REACHED',
  'MAX_TRIALS_REACHED',
  'TIME_USED',
]);

export function subTrainerPlaybook(view: View): Moves {
  const { trials, together } = assignment.parse(view.task);
  const codes = view.calls.map(({ answer }) => {
    const parsed = failure.safeParse(answer);
    return parsed.success ? parsed.data.error.code : null;
  });
  const over = codes.some((code) => code !== null && SEARCH_OVER.has(code));
  const rest = trials.slice(called(view, 'train_trial'));
  if (rest.length > 0 && !over) {
    // The first one alone gives every kind its turn; all the others at once, so that no core waits for this lane.
    const next = view.calls.length === 0 && !together ? rest.slice(0, 1) : rest;
    return next.map((input) => ({ tool: 'train_trial', input }));
  }
  const trained = codes.filter((code) => code === null).length;
  return [{ tool: 'finish', input: { outcome: `${trained} of ${trials.length} trained.` } }];
}
