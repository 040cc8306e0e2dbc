import { describe, expect, it } from 'vitest';
import { summaryLines } from '../../src/cli/conclude-job.ts';
import type { JobOutcome, JobUpdate } from '../../src/cli/wire.ts';
import { RECORDED } from './recorded-job.ts';

const best = { id: 't', name: 'CatBoost', family: 'CATBOOST', score: 0.9, fitSeconds: 1 };
const RESULT = {
  metric: 'ROC_AUC',
  validationScore: 0.9,
  holdoutScore: 0.88,
  holdoutInterval: null,
  baselineScore: 0.5,
  playbookScore: null,
  lift: null,
  summary: '',
  bestTrial: best,
} as const;

function saidOf(result: Partial<NonNullable<JobOutcome['result']>>): string[] {
  const { job } = RECORDED.at(-1) as JobUpdate;
  const usage = { modelCalls: 0, inputTokens: 0, outputTokens: 0, estimatedCostUsd: 0 };
  const outcome = { ...job, result: { ...RESULT, ...result }, failure: null, leaderboard: [], usage };
  return summaryLines(outcome, null).map((line) => line.map(({ text }) => text).join(''));
}

describe('what is said at the end', () => {
  it('says what a language model was worth beside the playbook', () => {
    expect(saidOf({ playbookScore: 0.89, lift: 0.01 }).join('\n')).toMatch(
      /Playbook +ROC_AUC 0\.8900 alone, 0\.0100 better with the language model/,
    );
    expect(saidOf({ playbookScore: 0.9, lift: 0 }).join('\n')).toMatch(
      /Playbook +ROC_AUC 0\.9000 alone, no better with the language model/,
    );
  });

  it('says nothing of it where the playbook was alone', () => {
    expect(saidOf({}).join('\n')).not.toContain('Playbook');
  });
});
