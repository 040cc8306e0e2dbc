import { Agent, type FunctionTool } from '@openai/agents-core';
import type { AgentRole } from '../../domain/vocabulary.ts';
import type { AgentContext } from '../context.ts';
import { COMMON } from '../prompts/common.ts';
import { finish } from '../tools/finish.ts';

/** Who keeps a seat: whoever has the job's mind, or the playbook in any case. */
export type Keeper = 'mind' | 'playbook';

/**
 * One seat of the team. `model` is the role: the provider decides who answers for it. The finish gate is code: a run ends when
 * `finish` has set an outcome, never because a model said something.
 */
export function seat(spec: {
  role: AgentRole;
  name: string;
  keeper?: Keeper;
  instructions: string;
  tools: readonly FunctionTool<AgentContext>[];
}): Agent<AgentContext> {
  return new Agent<AgentContext>({
    name: spec.name,
    // Byte-stable: no clock, no job. The journal of answered model calls is keyed by it.
    instructions: `${spec.instructions.trim()}\n\n${COMMON}`,
    model: spec.keeper === 'playbook' ? `playbook:${spec.role}` : spec.role,
    modelSettings: { toolChoice: 'required', parallelToolCalls: true },
    resetToolChoice: false,
    tools: [...spec.tools, finish] as FunctionTool<AgentContext>[],
    toolUseBehavior(context) {
      const { outcome } = context.context as AgentContext;
      return outcome === null
        ? { isFinalOutput: false, isInterrupted: undefined }
        : { isFinalOutput: true, isInterrupted: undefined, finalOutput: outcome };
    },
  });
}
