import { z } from 'zod';
import { delegateTool } from '../delegate.ts';
import { readBrief, readLeaderboard, standing } from '../tools/reading.ts';
import { trialShape } from '../tools/training.ts';
import { seat } from './agent.ts';
import { subTrainer } from './sub-trainer.ts';

const delegateTrials = delegateTool({
  name: 'delegate_trials',
  description:
    'Hands a list of configurations to a sub-trainer. Call it several times in one turn: sub-trainers work side by side.',
  parameters: {
    group: z.string(),
    trials: z.array(z.object(trialShape)),
    together: z
      .boolean()
      .describe('True: all get in line for a core at once. False: the first goes ahead alone.'),
  },
  role: 'SUB_TRAINER',
  agent: subTrainer,
  segment: null,
  title: ({ group }) => `Sub-trainer for ${group}`,
  planned: ({ team }, { trials }) => team.meter.planTrials(trials.length),
  answer: ({ team }) => standing(team),
});

export const masterTrainer = seat({
  role: 'MASTER_TRAINER',
  name: 'Master trainer',
  instructions: `You choose which families and configurations are worth training on this table and hand them to sub-trainers, one
group each, all in one turn. A usable model first, then diversity: the ensemble lives on it.`,
  tools: [readBrief, readLeaderboard, delegateTrials],
});
