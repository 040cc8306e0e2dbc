import type { Model, ModelProvider } from '@openai/agents-core';
import { AGENTS, type AgentRole } from '../domain/vocabulary.ts';
import type { Team } from './context.ts';
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

/** Before a role's name: the bare playbook, whoever else has taken the seats of the job. */
const BARE = 'playbook:';

/** A job's table before its runner is there: what whoever takes the seats may know of it. */
export type Table = Omit<Team, 'runner'>;

/** Takes the seats of one job. */
export type TakeSeats = (table: Table) => ModelProvider;

/**
 * Who sits in each agent's seat: agents name their role as their model, and a provider says who answers for it. Here the
 * playbook sits everywhere; `mind/language-model-seats.ts` puts a language model before it.
 */
export function playbookSeats(): ModelProvider {
  return { getModel: (name) => playbookOf(readSeat(name).role) };
}

export const playbookOf = (role: AgentRole): Model => new PlaybookModel(PLAYBOOKS[role]);

/** What an agent asked for: a role's seat (`TUNER`), or its playbook and nobody else (`playbook:TUNER`). */
export function readSeat(name: string | undefined): { role: AgentRole; bare: boolean } {
  const bare = name?.startsWith(BARE) ?? false;
  const role = bare ? name?.slice(BARE.length) : name;
  if (!isRole(role)) throw new Error(`There is no seat named "${name}".`);
  return { role, bare };
}

const isRole = (name: string | undefined): name is AgentRole => (AGENTS as readonly unknown[]).includes(name);
