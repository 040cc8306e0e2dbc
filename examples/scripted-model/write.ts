/**
 * `node examples/scripted-model/write.ts`: writes the conversation that `npm run demo -- --mind scripted` plays, as OPENAI_RECORD
 * would have, but written by people: what a model might say and do on the penguins. One file for each turn, named by its place:
 * the agent's run and the number of calls it has made before.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const RATIOS = `def features(frame):
    import pandas
    return pandas.DataFrame({
        "bill shape": frame["c1"] / frame["c2"],
        "bill to flipper": frame["c1"] / frame["c3"],
        "mass to flipper": frame["c4"] / frame["c3"],
    })`;
const trial = (name: string, family: string, parameters: { name: string; value: unknown }[]) => ({
  name,
  family,
  parameters,
  quick: false,
  keepFree: 0,
});
const TRIALS = [
  trial('Linear (little shrinkage)', 'LINEAR', [{ name: 'C', value: 10 }]),
  trial('LightGBM (small trees)', 'LIGHTGBM', [
    { name: 'num_leaves', value: 7 },
    { name: 'learning_rate', value: 0.05 },
  ]),
];

interface Said {
  place: string;
  text: string;
  calls: [tool: string, input: Record<string, unknown>][];
}

const CONVERSATION: readonly Said[] = [
  {
    place: 'orchestrator 0',
    text: 'First I read what is asked, and what the columns mean.',
    calls: [
      ['read_brief', {}],
      ['read_columns', {}],
    ],
  },
  {
    place: 'orchestrator 2',
    text: 'Penguins of one species are alike in shape, not in size: sex and age change the size. Ratios should part them.',
    calls: [['delegate_training', { why: 'The recipe has the sizes; I look for shapes.' }]],
  },
  {
    place: 'orchestrator/training 0',
    text: 'Bill length over depth is what a field guide would go by.',
    calls: [
      [
        'write_features',
        {
          name: 'Shapes: ratios of bill, flipper and mass',
          plan: 'Ratios cancel size, which differs by sex; species should part more clearly.',
          code: RATIOS,
          repairs: null,
          drop: [],
          family: 'LINEAR',
          parameters: [],
          why: 'Sizes differ by sex, shapes by species: I compute three ratios.',
        },
      ],
    ],
  },
  {
    place: 'orchestrator/training 1',
    text: 'Two more that should err differently from the ones the recipe trains.',
    calls: [
      [
        'delegate_trials',
        {
          group: 'Simple models',
          trials: TRIALS,
          together: true,
          why: 'So clean a table asks for simple models.',
        },
      ],
    ],
  },
  {
    place: 'orchestrator/training/1 0',
    text: 'Both at once.',
    calls: TRIALS.map((input): [string, Record<string, unknown>] => ['train_trial', input]),
  },
  {
    place: 'orchestrator/training/1 2',
    text: 'Both are tried.',
    calls: [['finish', { outcome: 'Two simple models were tried.' }]],
  },
  {
    place: 'orchestrator/training 2',
    text: 'What helps is decided by the folds.',
    calls: [['finish', { outcome: 'Ratios and two simple models were tried; the leaderboard decides.' }]],
  },
  {
    place: 'orchestrator 3',
    text: 'Little is left to gain on a table this clean.',
    calls: [['finish', { outcome: 'Shapes were tried beside the recipe; whatever scores best is kept.' }]],
  },
];

for (const [index, said] of CONVERSATION.entries()) {
  const file = join(import.meta.dirname, 'conversation', `${String(index + 1).padStart(2, '0')}.json`);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, `${JSON.stringify(exchangeOf(said, index), null, 2)}\n`);
}

function exchangeOf({ place, text, calls }: Said, index: number) {
  const message = { type: 'message', id: `msg_${index}`, role: 'assistant', status: 'completed' };
  const body = {
    id: `resp_${index}`,
    object: 'response',
    status: 'completed',
    model: 'scripted',
    output: [
      { ...message, content: [{ type: 'output_text', text, annotations: [] }] },
      ...calls.map(([name, input], nth) => ({
        type: 'function_call',
        id: `fc_${index}_${nth}`,
        call_id: `call_scripted_${index}_${nth}`,
        name,
        arguments: JSON.stringify({ why: null, ...input }),
        status: 'completed',
      })),
    ],
    // Nobody was paid; but a server that says 0 is taken for one that does not count.
    usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
  };
  return { place, response: { status: 200, contentType: 'application/json', body: JSON.stringify(body) } };
}
