import { IMPROVER, TUNER } from '../prompts/tuning.ts';
import { readIdeas, writeFeatures, writePipeline } from '../tools/code.ts';
import { readColumns, readSlices, runPython } from '../tools/looking.ts';
import { readBrief, readLeaderboard } from '../tools/reading.ts';
import { trainStacked, trainTrial } from '../tools/training.ts';
import { type Keeper, seat } from './agent.ts';

export const tunerSeat = (keeper: Keeper) =>
  seat({
    role: 'TUNER',
    name: 'Tuner',
    keeper,
    instructions: TUNER,
    tools: [readBrief, readLeaderboard, trainTrial, trainStacked],
  });

/** Where a language model sits there. */
export const improver = seat({
  role: 'TUNER',
  name: 'Tuner',
  instructions: IMPROVER,
  tools: [
    readBrief,
    readLeaderboard,
    trainTrial,
    readColumns,
    readIdeas,
    readSlices,
    runPython,
    writeFeatures,
    writePipeline,
  ],
});
