import { SproutError } from '../domain/errors.ts';
import type { Team } from './context.ts';

/** Why there is nothing to keep: the job was cancelled, ran out of time, or every configuration failed. */
export function noModel(team: Team): SproutError {
  if (team.stopReason() === 'cancelled') {
    return new SproutError('CANCELLED_BEFORE_MODEL', 'The job was cancelled before a model was trained.', {
      hint: 'Retry the job to train it again.',
    });
  }
  const failed = team.board.failures;
  if (failed.length > 0 && team.budget.searchLeft > 1) {
    return new SproutError('NO_MODEL_TRAINED', `Every configuration failed; the first one so: ${failed[0]}`, {
      hint: 'Read the training log; columns that hold no information can be left out with `ignoreColumns`.',
    });
  }
  const { total } = team.budget;
  return new SproutError('NO_MODEL_IN_TIME', `No model was trained within the time budget of ${total} s.`, {
    hint: 'Raise `timeBudgetSeconds`, or train on fewer rows.',
  });
}
