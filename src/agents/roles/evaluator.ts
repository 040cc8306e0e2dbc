import { EVALUATOR } from '../prompts/evaluation.ts';
import { buildEnsemble, evaluateModel } from '../tools/evaluation.ts';
import { readLeaderboard } from '../tools/reading.ts';
import { type Keeper, seat } from './agent.ts';

export const evaluatorSeat = (keeper: Keeper) =>
  seat({
    role: 'EVALUATOR',
    name: 'Evaluator',
    keeper,
    instructions: EVALUATOR,
    tools: [readLeaderboard, buildEnsemble, evaluateModel],
  });
