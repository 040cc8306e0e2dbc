import { describe, expect, it } from 'vitest';
import { jobColumns } from '../../src/agents/job-columns.ts';
import type { PrepareResult, ProfileResult } from '../../src/agents/toolkit-protocol.ts';
import { ScriptedToolkit } from './scripted-toolkit.ts';
import { startTeam } from './team-fixture.ts';

const column = (
  name: string,
  role: ProfileResult['columns'][number]['role'],
  reason: string | null = null,
) => ({
  name,
  type: 'NUMERIC' as const,
  missing: 0,
  distinct: 9,
  role,
  reason,
});

const PROFILE: ProfileResult = {
  rows: 100,
  usableRows: 100,
  task: 'REGRESSION',
  metric: 'RMSE',
  classes: null,
  positiveClass: null,
  columns: [
    column('id', 'dropped', 'a different value in every row'),
    column('size', 'feature'),
    column('odd', 'feature', '3 values are no numbers'),
    column('still', 'feature'),
    column('who', 'ignored', 'left out as requested'),
    column('price', 'target'),
  ],
  warnings: [
    { code: 'MIXED_TYPES', message: 'some are text', columns: ['odd'] },
    { code: 'FEW_ROWS', message: 'only 100 rows', columns: [] },
  ],
  decisions: [],
};

const PLAN: PrepareResult = {
  features: [
    { name: 'size', type: 'NUMERIC', treatment: 'as it is' },
    { name: 'odd', type: 'NUMERIC', treatment: 'as it is' },
  ],
  dropped: [{ name: 'still', reason: 'one value in all training rows' }],
  decisions: [],
  warnings: [
    { code: 'LEAK_LIKELY', message: 'it gives the price away', columns: ['odd'] },
    { code: 'DRIFT', message: 'rows change', columns: ['size', 'odd'] },
  ],
  estimates: { rows: 80, features: 2 },
};

describe('what became of the columns', () => {
  it('is what the profile said, in the order of the file, before features are planned', () => {
    const found = jobColumns(PROFILE, null);
    expect(found.map(({ name, role }) => [name, role])).toEqual([
      ['id', 'DROPPED'],
      ['size', 'FEATURE'],
      ['odd', 'FEATURE'],
      ['still', 'FEATURE'],
      ['who', 'IGNORED'],
      ['price', 'TARGET'],
    ]);
    expect(found.every(({ treatment }) => treatment === null)).toBe(true);
    expect(found[2]).toMatchObject({
      reason: '3 values are no numbers',
      warnings: [{ code: 'MIXED_TYPES', message: 'some are text' }],
    });
  });

  it('joins what the plan makes of them, drops among it, and every warning that names them', () => {
    const found = new Map(jobColumns(PROFILE, PLAN).map((each) => [each.name, each]));
    expect(found.get('still')).toMatchObject({
      role: 'DROPPED',
      reason: 'one value in all training rows',
      treatment: null,
    });
    expect(found.get('odd')).toMatchObject({ role: 'FEATURE', treatment: 'as it is' });
    expect(found.get('odd')?.warnings.map(({ code }) => code)).toEqual([
      'MIXED_TYPES',
      'LEAK_LIKELY',
      'DRIFT',
    ]);
    expect(found.get('size')?.warnings.map(({ code }) => code)).toEqual(['DRIFT']);
    expect(found.get('id')?.warnings).toEqual([]);
  });

  it('is recorded with the steps that found it out', async () => {
    const { store, done } = startTeam({ toolkit: new ScriptedToolkit(), options: { maxTrials: 1 } });
    await done;
    expect(store.changes.jobColumns).toEqual([
      {
        name: 'x',
        type: 'NUMERIC',
        role: 'FEATURE',
        treatment: 'as it is',
        reason: null,
        warnings: [{ code: 'LEAK_LIKELY', message: '"x" alone nearly gives "y" away' }],
      },
      { name: 'y', type: 'CATEGORICAL', role: 'TARGET', treatment: null, reason: null, warnings: [] },
    ]);
  });
});
