import { z } from 'zod';
import { agentTool } from './agent-tool.ts';

/** The only way an agent's run ends: plain text would end it as a success in the SDK, whatever it says. */
export const finish = agentTool({
  name: 'finish',
  description: 'Ends your work. Call it alone, when everything asked of you is done.',
  parameters: { outcome: z.string().describe('One or two sentences for whoever delegated to you.') },
  async execute({ outcome }, agent) {
    agent.outcome = outcome;
    return { ok: true };
  },
});
