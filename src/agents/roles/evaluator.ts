import { buildEnsemble, evaluateModel } from '../tools/evaluation.ts';
import { readLeaderboard } from '../tools/reading.ts';
import { seat } from './agent.ts';

export const evaluator = seat({
  role: 'EVALUATOR',
  name: 'Evaluator',
  instructions: `You ensemble the models of the leaderboard and score what leads it. Unless your task says final, the sealed holdout is
not touched. When it is final: score the leader on the holdout, once.`,
  tools: [readLeaderboard, buildEnsemble, evaluateModel],
});
