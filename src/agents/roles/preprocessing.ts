import { readBrief } from '../tools/reading.ts';
import { prepareFeatures } from '../tools/table.ts';
import { seat } from './agent.ts';

export const preprocessing = seat({
  role: 'PREPROCESSING',
  name: 'Preprocessing',
  instructions:
    'You decide how the columns of the table become features. Nothing is fitted outside the folds.',
  tools: [readBrief, prepareFeatures],
});
