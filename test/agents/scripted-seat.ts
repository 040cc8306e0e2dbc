import { createHash } from 'node:crypto';
import { type Model, type ModelProvider, type ModelRequest, Usage } from '@openai/agents-core';
import { type Playbook, readView } from '../../src/agents/playbook/view.ts';
import { playbookSeats } from '../../src/agents/seats.ts';
import type { AgentRole } from '../../src/domain/vocabulary.ts';

/** What a scripted model does in its seat: the same view as a playbook's, at its own pace. */
export type Script = (...seen: Parameters<Playbook>) => ReturnType<Playbook> | Promise<ReturnType<Playbook>>;

/**
 * A language model's place at the table, held by scripts; in seats without one the playbook plays the model. Calls are named as
 * a model's server names them. `requests` keeps what was asked.
 */
export function scriptedSeats(scripts: Partial<Record<AgentRole, Script>>) {
  const playbook = playbookSeats();
  const requests: { role: string; request: ModelRequest }[] = [];
  const seats: ModelProvider = {
    async getModel(name): Promise<Model> {
      const script = scripts[name as AgentRole];
      if (!script) return playbook.getModel(name);
      return {
        async getResponse(request) {
          const { signal: _signal, ...kept } = request;
          requests.push({ role: name ?? '', request: structuredClone(kept) });
          const moves = await script(readView(request));
          const turn = createHash('sha256').update(JSON.stringify(request.input)).digest('hex').slice(0, 12);
          return {
            usage: new Usage(),
            output: moves.map(({ tool, why, input }, index) => ({
              type: 'function_call',
              callId: `call_${turn}_${index}`,
              name: tool,
              arguments: JSON.stringify({ ...input, why: why ?? null }),
              status: 'completed',
            })),
          };
        },
        // biome-ignore lint/correctness/useYield: the SDK asks for the method; the team never streams.
        async *getStreamedResponse(): AsyncGenerator<never> {
          throw new Error('Not streamed.');
        },
      };
    },
  };
  /** All that one role's model was ever told, as one text. */
  const told = (role: AgentRole) =>
    requests
      .filter((asked) => asked.role === role)
      .map(({ request }) => JSON.stringify([request.systemInstructions, request.tools, request.input]))
      .join('\n');
  return { seats, requests, told };
}

/** One list of moves a turn, then `finish`. */
export function inTurns(turns: readonly ReturnType<Playbook>[]): Script {
  return ({ calls }) => {
    let seen = 0;
    for (const moves of turns) {
      if (seen >= calls.length) return moves;
      seen += moves.length;
    }
    return [{ tool: 'finish', input: { outcome: 'That was all.' } }];
  };
}
