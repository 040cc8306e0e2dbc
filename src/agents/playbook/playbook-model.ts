import { createHash } from 'node:crypto';
import { type Model, type ModelRequest, type ModelResponse, Usage } from '@openai/agents-core';
import { type Playbook, readView } from './view.ts';

/** Whether a call was made by a playbook: no language model's server names calls like this. */
export const isPlaybookCall = (callId: string): boolean => /^[0-9a-f]{16}-\d+$/.test(callId);

/** A playbook behind the SDK's model interface: it answers every request with tool calls, at no cost and without a wire. */
export class PlaybookModel implements Model {
  readonly #playbook: Playbook;

  constructor(playbook: Playbook) {
    this.#playbook = playbook;
  }

  async getResponse(request: ModelRequest): Promise<ModelResponse> {
    const moves = this.#playbook(readView(request));
    // Steps are journaled by call id. The conversation holds the run's path, so no two runs share an id, and a resumed run
    // that has heard the same answers asks under the same ids.
    const turn = createHash('sha256')
      .update(request.systemInstructions ?? '')
      .update(JSON.stringify(request.input))
      .digest('hex')
      .slice(0, 16);
    return {
      usage: new Usage(),
      output: moves.map(({ tool, why, input, number }, index) => ({
        type: 'function_call',
        callId: `${turn}-${number ?? index}`,
        name: tool,
        arguments: JSON.stringify({ ...input, why: why ?? null }),
        status: 'completed',
      })),
    };
  }

  // biome-ignore lint/correctness/useYield: the SDK asks for the method; the team never streams.
  async *getStreamedResponse(): AsyncGenerator<never> {
    throw new Error('The playbook answers whole turns; run the team without streaming.');
  }
}
