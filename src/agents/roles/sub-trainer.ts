import { SUB_TRAINER } from '../prompts/training.ts';
import { trainTrial } from '../tools/training.ts';
import { type Keeper, seat } from './agent.ts';

export const subTrainerSeat = (keeper: Keeper) =>
  seat({ role: 'SUB_TRAINER', name: 'Sub-trainer', keeper, instructions: SUB_TRAINER, tools: [trainTrial] });
