import { trainTrial } from '../tools/training.ts';
import { seat } from './agent.ts';

export const subTrainer = seat({
  role: 'SUB_TRAINER',
  name: 'Sub-trainer',
  instructions:
    'You train the configurations you were given: all in one turn when they go together, else the first alone and then the others in one turn. Finish when all were tried or the search is over.',
  tools: [trainTrial],
});
