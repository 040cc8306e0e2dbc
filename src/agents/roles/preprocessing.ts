import { COLUMN_MAKER, PREPROCESSING } from '../prompts/preprocessing.ts';
import { readIdeas, writeFeatures } from '../tools/code.ts';
import { readColumns, runPython } from '../tools/looking.ts';
import { readBrief, readLeaderboard } from '../tools/reading.ts';
import { prepareFeatures } from '../tools/table.ts';
import { type Keeper, seat } from './agent.ts';

export const preprocessingSeat = (keeper: Keeper) =>
  seat({
    role: 'PREPROCESSING',
    name: 'Preprocessing',
    keeper,
    instructions: PREPROCESSING,
    tools: [readBrief, prepareFeatures],
  });

/** Where a language model sits there. */
export const columnMaker = seat({
  role: 'PREPROCESSING',
  name: 'Preprocessing',
  instructions: COLUMN_MAKER,
  tools: [readBrief, prepareFeatures, readColumns, readIdeas, readLeaderboard, runPython, writeFeatures],
});
