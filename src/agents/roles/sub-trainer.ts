import { trainTrial } from '../tools/training.ts';
import { seat } from './agent.ts';

export const subTrainer = seat({
  role: 'SUB_TRAINER',
  name: 'Sub-trainer',
  instructions:
    'You train the configurations you were given, one after the other, and finish when all were tried or the search is over.',
  tools: [trainTrial],
});
