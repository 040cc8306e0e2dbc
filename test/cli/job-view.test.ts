import { describe, expect, it } from 'vitest';
import { jobLines, shareRows } from '../../src/cli/job-lines.ts';
import { applyUpdate, EMPTY_VIEW, type JobView } from '../../src/cli/job-view.ts';
import { boxed, cutLine, painted, plainText, row, span, widthOf } from '../../src/cli/lines.ts';
import { plainLine } from '../../src/cli/plain-line.ts';
import { byteCount, clock, columnsOf, cut, duration, scoreText } from '../../src/cli/terminal-text.ts';
import type { JobUpdate } from '../../src/cli/wire.ts';
import { MIDWAY, RECORDED, RECORDED_AT_MS } from './recorded-job.ts';

/** The machine that shows the job is two hours ahead of the server, and hears of each event 5 ms late. */
const AHEAD_MS = 2 * 3600 * 1000;
const receivedAt = (update: JobUpdate) => (update.event?.at.getTime() ?? RECORDED_AT_MS) + AHEAD_MS + 5;
const viewAfter = (count: number): JobView =>
  RECORDED.slice(0, count).reduce(
    (view, update) => applyUpdate(view, update, receivedAt(update)),
    EMPTY_VIEW,
  );
const screenOf = (width: number, height: number) => {
  return { width, height, nowMs: RECORDED_AT_MS + AHEAD_MS + 3_505, frame: 3, footer: null };
};
const picture = (view: JobView, width: number, height: number) =>
  jobLines(view, screenOf(width, height)).map(plainText);

describe('the picture of a job', () => {
  it('shows in the middle who does what, how far it is and what leads', () => {
    expect(picture(viewAfter(MIDWAY), 80, 24).join('\n')).toMatchInlineSnapshot(`
      "penguins.csv → species                                     MULTICLASS · LOG_LOSS
      RUNNING TRAINING ━━━━━━━━━━━───────────────────────── 31%  0:03  about 0:19 left

      ⠸ Orchestrator  344 rows, 7 features; MULTICLASS by LOG_LOSS                3.4s
       ├─ ✓ Preprocessing  7 features, missing values filled inside the folds     0.6s
       └─ ⠸ Master trainer  A small table: every family gets a turn, two at …     1.6s
          ├─ ⠸ Sub-trainer for boosted trees  Boosted trees 1  fold 2 of 5: …     1.5s
          └─ ⠸ Sub-trainer for the rest  Forest 1                                 1.5s

      Leaderboard  LOG_LOSS, lower is better                             score     fit
        1 ★ Logistic regression  LINEAR                 ━━━━━━━━━━━━    0.0214    0.7s
        2   Baseline                                                    1.0463    0.0s
            2 trials · baseline 1.0463

       0:00  The job is queued.
       0:00  The job is running.
       0:02  11 rows have missing values in 5 columns
       0:02  A small table: every family gets a turn, two at a time.
       0:03  Logistic regression leads with 0.0214
      Ctrl-C ends the job and keeps its best model"
    `);
  });

  it('shows at the end how everything went', () => {
    expect(picture(viewAfter(RECORDED.length), 100, 30).join('\n')).toMatchInlineSnapshot(`
      "penguins.csv → species                                                         MULTICLASS · LOG_LOSS
      SUCCEEDED ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 100%  0:06

      ✓ Orchestrator  Logistic regression it is                                            2 steps    6.1s
       ├─ ✓ Preprocessing  7 features, missing values filled inside the folds               1 step    0.6s
       └─ ✓ Master trainer  3 trials, Logistic regression leads                                       3.3s
          ├─ ✓ Sub-trainer for boosted trees  2 configurations tried                       2 steps    3.1s
          └─ ✓ Sub-trainer for the rest  2 configurations tried                 1 failed   2 steps    3.1s

      Leaderboard  LOG_LOSS, lower is better                                                 score     fit
        1 ★ Logistic regression  LINEAR                         ━━━━━━━━━━━━━━━━━━━━━━━━    0.0214    0.7s
        2   Boosted trees 1  LIGHTGBM                           ━━━━━━━━━━━━━━━━━━━━━━━━    0.0307    2.2s
        3   Baseline                                                                        1.0463    0.0s
            3 trials · baseline 1.0463 · 1 file, 184 kB

       0:02  11 rows have missing values in 5 columns
       0:02  A small table: every family gets a turn, two at a time.
       0:03  Logistic regression leads with 0.0214
       0:05  Forest 1: TRIAL_TOO_SLOW: one fold took 2 s of the 3 s there were.
       0:06  The job has succeeded."
    `);
  });

  it.each([
    [40, 12],
    [80, 24],
    [140, 45],
  ])('fits %i columns and %i rows at every moment, and leaves the cursor its row', (width, height) => {
    for (let count = 0; count <= RECORDED.length; count += 1) {
      const lines = picture(viewAfter(count), width, height);
      expect(lines.length).toBeLessThan(height);
      for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(width);
    }
  });

  it('leaves out the agents that ended first when there are too many, and says how many', () => {
    const lines = picture(crowded(30, 26), 80, 24);
    expect(lines.length).toBeLessThan(24);
    expect(lines.filter((line) => line.includes('Sub-trainer 3'))).toHaveLength(1);
    expect(lines.some((line) => line.includes('Sub-trainer 30'))).toBe(true);
    expect(lines.some((line) => /and \d+ that ended earlier/.test(line))).toBe(true);
  });

  it("counts the time by the server's clock, whatever ours says", () => {
    expect(picture(viewAfter(MIDWAY), 80, 24)[1]).toContain(' 0:03 ');
  });

  it('cannot be made to send escape sequences by names in the data', () => {
    const [first] = RECORDED as [JobUpdate];
    const nasty = { ...first, job: { ...first.job, targetColumn: 'a\u001b[2Jb\u0007' } };
    const [title] = picture(applyUpdate(EMPTY_VIEW, nasty, 0), 80, 24);
    expect(title).toContain('a [2Jb');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(title).not.toMatch(/[\u0000-\u001f]/);
  });

  it('ranks by the metric: lower first for LOG_LOSS, higher first for ROC_AUC', () => {
    const view = viewAfter(RECORDED.length);
    expect(view.trials.map(({ score }) => score)).toEqual([0.0214, 0.0307, 1.0463]);
    const last = RECORDED.at(-1) as JobUpdate;
    const flipped = applyUpdate(view, { ...last, job: { ...last.job, metric: 'ROC_AUC' }, event: null }, 0);
    expect(flipped.trials.map(({ score }) => score)).toEqual([1.0463, 0.0307, 0.0214]);
  });

  it('is the same whether an update is applied to a fresh copy or not: states are never changed in place', () => {
    const before = viewAfter(MIDWAY);
    const remembered = structuredClone(before);
    for (const update of RECORDED.slice(MIDWAY)) applyUpdate(before, update, receivedAt(update));
    expect(before).toEqual(remembered);
  });
});

/** A trainer with `count` sub-trainers, the first `ended` of which are done. */
function crowded(count: number, ended: number): JobView {
  const midway = viewAfter(MIDWAY);
  const [, trainer] = [...midway.agents.values()].filter(({ parent }) => parent === 'orchestrator');
  if (!trainer) throw new Error('the recorded job has a trainer');
  const subTrainers = Array.from({ length: count }, (_, index) => ({
    ...trainer,
    name: `Sub-trainer ${index + 1}`,
    run: `${trainer.run}/${index + 1}`,
    parent: trainer.run,
    seconds: index < ended ? index + 1 : null,
  }));
  const kept = [...midway.agents.values()].filter(({ parent }) => parent !== trainer.run);
  return { ...midway, agents: new Map([...kept, ...subTrainers].map((agent) => [agent.run, agent])) };
}

describe('lines for a log', () => {
  it('says once what happened, when and by whom, and nothing that only moves', () => {
    const lines = RECORDED.map(plainLine).filter((line) => line !== null);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "   0.0s  job             The job is queued.
         0.0s  job             The job is running.
         0.1s  orchestrator    SETUP started
         0.1s  orchestrator    Orchestrator started
         1.1s  orchestrator    344 rows, 7 features; MULTICLASS by LOG_LOSS
         1.2s  preprocessing   Preprocessing started
         1.6s  preprocessing   11 rows have missing values in 5 columns
         1.7s  preprocessing   7 features planned, 0 columns left out
         1.9s  master trainer  Master trainer started
         1.9s  master trainer  A small table: every family gets a turn, two at a time.
         2.0s  sub trainer     Sub-trainer for boosted trees started
         2.0s  sub trainer     Sub-trainer for the rest started
         2.2s  sub trainer     Baseline: 1.0463
         2.2s  sub trainer     Baseline: 1.0463
         2.9s  sub trainer     Logistic regression: 0.0214
         2.9s  sub trainer     Logistic regression: 0.0214
         2.9s  sub trainer     Logistic regression leads with 0.0214
         4.6s  sub trainer     Boosted trees 1: 0.0307
         4.6s  sub trainer     Boosted trees 1: 0.0307
         5.0s  sub trainer     Forest 1: TRIAL_TOO_SLOW: one fold took 2 s of the 3 s there were.
         6.0s  orchestrator    model.pkl saved
         6.1s  orchestrator    1 files written
         6.3s  job             The job has succeeded."
    `);
  });
});

describe('rows and columns', () => {
  it('gives everyone their least before anyone more', () => {
    const parts = [
      { wanted: 20, least: 6 },
      { wanted: 8, least: 4 },
      { wanted: 5, least: 2 },
    ];
    expect(shareRows(15, parts)).toEqual([9, 4, 2]);
    expect(shareRows(7, parts)).toEqual([6, 1, 0]);
    expect(shareRows(-3, parts)).toEqual([0, 0, 0]);
    expect(shareRows(100, parts)).toEqual([20, 8, 5]);
  });

  it('measures what terminals show: wide characters two, marks none', () => {
    expect(columnsOf('naïve')).toBe(5);
    expect(columnsOf('价格')).toBe(4);
    expect(columnsOf('e\u0301')).toBe(1);
    expect(cut('价格 price', 6)).toBe('价格 …');
  });

  it('keeps what stands at the right edge when the left is too long', () => {
    const line = row([span('a rather long name')], [span('1.2s')], 12);
    expect(plainText(line)).toBe('a rath… 1.2s');
    expect(widthOf(cutLine(line, 5))).toBe(5);
  });

  it('frames lines, wrapping what is too long instead of cutting it', () => {
    const frame = boxed([[span('Sandbox   '), span('contained: no network, no secrets')]], 36).map(plainText);
    expect(frame).toEqual([
      '╭──────────────────────────────────╮',
      '│ Sandbox   contained: no network, │',
      '│           no secrets             │',
      '╰──────────────────────────────────╯',
    ]);
  });

  it('paints nothing where the stream is no terminal', () => {
    expect(painted([span('best', 'green')], process.stderr.isTTY ? process.stdin : process.stderr)).toBe(
      'best',
    );
  });

  it('writes figures as people read them', () => {
    expect([0.04, 9.96, 75, 3700].map(duration)).toEqual(['0.0s', '10s', '1m 15s', '1h 01m']);
    expect([5, 75, 3725].map(clock)).toEqual(['0:05', '1:15', '1:02:05']);
    expect([912, 14_900, 999_600, 184_320_000].map(byteCount)).toEqual([
      '912 B',
      '14.9 kB',
      '1.0 MB',
      '184 MB',
    ]);
    expect([0, 0.00002, 0.99312, 48_211.27].map(scoreText)).toEqual([
      '0.0000',
      '2.0e-5',
      '0.9931',
      '48211.3',
    ]);
  });
});
