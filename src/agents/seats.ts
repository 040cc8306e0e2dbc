import type { Model, ModelProvider } from '@openai/agents-core';
import { AGENTS, type AgentRole } from '../domain/vocabulary.ts';
import { evaluatorPlaybook } from './playbook/evaluator.ts';
import { masterTrainerPlaybook } from './playbook/master-trainer.ts';
import { orchestratorPlaybook } from './playbook/orchestrator.ts';
import { PlaybookModel } from './playbook/playbook-model.ts';
import { preprocessingPlaybook } from './playbook/preprocessing.ts';
import { subTrainerPlaybook } from './playbook/sub-trainer.ts';
import { tunerPlaybook } from './playbook/tuner.ts';
import type { Playbook } from './playbook/view.ts';

const PLAYBOOKS: Readonly<Record<AgentRole, Playbook>> = {
  ORCHESTRATOR: orchestratorPlaybook,
  PREPROCESSING: preprocessingPlaybook,
  MASTER_TRAINER: masterTrainerPlaybook,
  SUB_TRAINER: subTrainerPlaybook,
  EVALUATOR: evaluatorPlaybook,
  TUNER: tunerPlaybook,
};

/**
 * Who sits in each agent's seat: agents name their role as their model, and this provider says who answers for it. Here
 * the playbook sits everywhere; a language model would take the seat in this one place, with the playbook to fall back on.
 */
export function playbookSeats(): ModelProvider {
  return {
    getModel(name): Model {
      // Seats that the playbook keeps whoever sits in the others.
      const role = name?.replace(/^playbook:/, '');
      if (!isRole(role)) throw new Error(`There is no seat named "${name}".`);
      return new PlaybookModel(PLAYBOOKS[role]);
    },
  };
}

const isRole = (name: string | undefined): name is AgentRole => (AGENTS as readonly unknown[]).includes(name);
