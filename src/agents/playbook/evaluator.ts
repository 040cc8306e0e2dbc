import { z } from 'zod';
import { answersOf, called, type Moves, type View } from './view.ts';

const task = z.object({ final: z.boolean() });
const leaderboard = z.array(
  z.object({
    id: z.string(),
    name: z.string(),
    family: z.string(),
    parameters: z.record(z.string(), z.unknown()),
  }),
);
type Entry = z.output<typeof leaderboard>[number];

/** More members make the greedy selection slower and fit the validation rows, not the world. */
const MAX_MEMBERS = 25;

export function evaluatorPlaybook(view: View): Moves {
  const { final } = task.parse(view.task);
  const boards = answersOf(view, 'read_leaderboard', leaderboard);
  const first = boards[0];
  if (boards.length === 0) return [{ tool: 'read_leaderboard' }];
  if (!first) return [{ tool: 'finish', input: { outcome: 'The leaderboard could not be read.' } }];

  const members = first.filter((entry) => entry.family !== 'ENSEMBLE').slice(0, MAX_MEMBERS);
  const tried = called(view, 'build_ensemble');
  if (tried === 0 && members.length > 1 && !covered(first, members)) {
    return [
      {
        tool: 'build_ensemble',
        input: { trialIds: members.map((entry) => entry.id) },
        why: `I weigh the ${members.length} best models against each other: together they err less than any alone.`,
      },
    ];
  }
  if (tried > 0 && boards.length < 2) return [{ tool: 'read_leaderboard' }];

  // Best first. Should the leader's evaluation fail, the next best model is scored in its place.
  const ranked = boards.at(-1) ?? first;
  const evaluations = view.calls.filter((call) => call.name === 'evaluate_model');
  const worked = answersOf(view, 'evaluate_model', z.unknown()).some((answer) => answer !== null);
  const next = ranked[evaluations.length];
  if (!worked && next && evaluations.length < 2) {
    return [{ tool: 'evaluate_model', input: { trialId: next.id, holdout: final } }];
  }
  const leader = ranked[0]?.name ?? 'none';
  return [
    {
      tool: 'finish',
      input: { outcome: final ? `${leader} has its final score.` : `${leader} leads.` },
    },
  ];
}

/** Whether an ensemble already chose among all of these. */
function covered(board: readonly Entry[], members: readonly Entry[]): boolean {
  return board.some((entry) => {
    const seen = z.array(z.string()).safeParse(entry.parameters.chosenAmong);
    return seen.success && members.every(({ id }) => seen.data.includes(id));
  });
}
