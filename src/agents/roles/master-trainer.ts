import { z } from 'zod';
import { delegateTool } from '../delegate.ts';
import { MASTER_TRAINER, MODEL_MAKER } from '../prompts/training.ts';
import { readIdeas, writeFeatures, writePipeline } from '../tools/code.ts';
import { readColumns, readSlices, runPython } from '../tools/looking.ts';
import { readBrief, readLeaderboard, standing } from '../tools/reading.ts';
import { trialShape } from '../tools/training.ts';
import { type Keeper, seat } from './agent.ts';
import { subTrainerSeat } from './sub-trainer.ts';

const delegateTrials = (keeper: Keeper) =>
  delegateTool({
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
    agent: subTrainerSeat(keeper),
    segment: null,
    title: ({ group }) => `Sub-trainer for ${group}`,
    planned: ({ team }, { trials }) => team.meter.planTrials(trials.length),
    answer: ({ team }) => standing(team),
  });

export const masterTrainerSeat = (keeper: Keeper) =>
  seat({
    role: 'MASTER_TRAINER',
    name: 'Master trainer',
    keeper,
    instructions: MASTER_TRAINER,
    tools: [readBrief, readLeaderboard, delegateTrials(keeper)],
  });

/** Where a language model sits there. */
export const modelMaker = seat({
  role: 'MASTER_TRAINER',
  name: 'Master trainer',
  instructions: MODEL_MAKER,
  tools: [
    readBrief,
    readLeaderboard,
    delegateTrials('mind'),
    readColumns,
    readIdeas,
    readSlices,
    runPython,
    writeFeatures,
    writePipeline,
  ],
});
