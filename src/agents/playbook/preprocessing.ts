import { z } from 'zod';
import { answersOf, called, type Moves, type View } from './view.ts';

const plan = z.object({
  features: z.array(z.unknown()),
  dropped: z.array(z.object({ name: z.string(), reason: z.string() })),
  decisions: z.array(z.string()),
});

/** Most decisions shown in the finishing words; all of them are in the report. */
const SHOWN = 3;

export function preprocessingPlaybook(view: View): Moves {
  if (called(view, 'prepare_features') === 0) {
    return [
      {
        tool: 'prepare_features',
        why: 'Each column is treated by its type; everything that learns from values is fitted inside the folds.',
      },
    ];
  }
  const made = answersOf(view, 'prepare_features', plan)[0];
  const dropped = made?.dropped.length ?? 0;
  const left = dropped === 0 ? '' : `, ${dropped} left out`;
  const decisions = made?.decisions.slice(0, SHOWN).join(' ') ?? '';
  return [
    {
      tool: 'finish',
      input: { outcome: `${made?.features.length ?? 0} features${left}. ${decisions}`.trim() },
    },
  ];
}
