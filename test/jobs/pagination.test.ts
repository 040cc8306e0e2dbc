import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatasetId } from '../../src/domain/ids.ts';
import type { Dataset } from '../../src/domain/records.ts';
import type { PageRequest } from '../../src/jobs/jobs.ts';
import { newDataset, openRig, type Rig } from './rig.ts';

describe('pages', () => {
  let rig: Rig;
  let all: Dataset[];
  let clock = 0;

  beforeAll(async () => {
    rig = await openRig({ now: () => new Date(clock) });
    for (let i = 0; i < 30; i += 1) {
      // Many rows share a millisecond, and time does not only go on.
      clock = Math.floor(Math.random() * 8);
      await rig.jobs.addDataset(newDataset());
    }
    all = [...(await rig.jobs.listDatasets({ limit: 100 })).rows];
  });
  afterAll(() => rig.remove());

  it('hold every row, newest first', () => {
    expect(all).toHaveLength(30);
    const inOrder = [...all].sort(
      (a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1),
    );
    expect(all).toEqual(inOrder);
  });

  it('are the slice their cursors, size and end name, and know whether there is more on either side', async () => {
    const index = fc.option(fc.nat(29), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          limit: fc.integer({ min: 1, max: 35 }),
          after: index,
          before: index,
          fromEnd: fc.boolean(),
        }),
        async ({ limit, after, before, fromEnd }) => {
          fc.pre(after === undefined || before === undefined || after < before);
          const request: PageRequest = { limit, fromEnd };
          if (after !== undefined) request.after = all[after]?.id ?? '';
          if (before !== undefined) request.before = all[before]?.id ?? '';
          const page = await rig.jobs.listDatasets(request);

          const start = after === undefined ? 0 : after + 1;
          const end = before ?? 30;
          const from = fromEnd ? Math.max(start, end - limit) : start;
          const to = fromEnd ? end : Math.min(end, start + limit);
          expect(page).toEqual({
            rows: all.slice(from, to),
            hasPrevious: from > 0,
            hasNext: to < 30,
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  it('walk the whole list in either direction, each row once', async () => {
    for (const fromEnd of [false, true]) {
      const seen: string[] = [];
      let cursor: string | undefined;
      for (let more = true; more; ) {
        const place = cursor === undefined ? {} : fromEnd ? { before: cursor } : { after: cursor };
        const page = await rig.jobs.listDatasets({ limit: 7, fromEnd, ...place });
        const ids = page.rows.map((row) => row.id);
        if (fromEnd) seen.unshift(...ids);
        else seen.push(...ids);
        cursor = fromEnd ? ids[0] : ids.at(-1);
        more = fromEnd ? page.hasPrevious : page.hasNext;
      }
      expect(seen).toEqual(all.map((row) => row.id));
    }
  });

  it('do not shift when a newer row arrives between two of them', async () => {
    const first = await rig.jobs.listDatasets({ limit: 5 });
    clock = 1000;
    const { id } = await rig.jobs.addDataset(newDataset());
    const second = await rig.jobs.listDatasets({ limit: 5, after: first.rows.at(-1)?.id ?? '' });
    expect(second.rows).toEqual(all.slice(5, 10));
    expect((await rig.jobs.listDatasets({ limit: 1 })).rows[0]?.id).toBe(id);
  });

  it('say so when the row of a cursor is gone', async () => {
    const gone = '00000000-0000-4000-8000-000000000000' as DatasetId;
    await expect(rig.jobs.listDatasets({ limit: 5, before: gone })).rejects.toMatchObject({
      code: 'CURSOR_NOT_FOUND',
      details: { field: 'before' },
    });
  });
});
