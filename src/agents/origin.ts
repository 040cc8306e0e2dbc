import type { Mind } from '../domain/vocabulary.ts';
import type { AgentContext } from './context.ts';
import { isPlaybookCall } from './playbook/playbook-model.ts';

/** Whose idea a call is: the language model's, also where its trials are trained by a seat that the playbook has taken over. */
export function originOf(agent: AgentContext, callId: string): Mind {
  if (agent.team.mind === 'PLAYBOOK') return 'PLAYBOOK';
  return agent.author ?? (isPlaybookCall(callId) ? 'PLAYBOOK' : 'LANGUAGE_MODEL');
}
