import { readBrief, readLeaderboard } from '../tools/reading.ts';
import { trainTrial } from '../tools/training.ts';
import { seat } from './agent.ts';

export const tuner = seat({
  role: 'TUNER',
  name: 'Tuner',
  instructions: `You propose improved parameters around the best configurations of the strong families and train them, several in one turn:
they run side by side. Change little at a time; what gains is kept by its validation score alone.`,
  tools: [readBrief, readLeaderboard, trainTrial],
});
