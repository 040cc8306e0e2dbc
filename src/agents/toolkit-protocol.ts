import { z } from 'zod';
import { SproutError } from '../domain/errors.ts';
import { ARTIFACT_KINDS, COLUMN_TYPES, FAMILIES, METRICS, TASKS } from '../domain/vocabulary.ts';

/** The results of the toolkit's commands, as toolkit/PROTOCOL.md words them. Unknown fields are dropped. */

const finite = z.number();
const interval = z.object({ low: finite, high: finite });
const coded = z.object({ code: z.string(), message: z.string() });
const aboutColumns = coded.extend({ columns: z.array(z.string()) });

export const profileResult = z.object({
  rows: z.int(),
  usableRows: z.int(),
  task: z.enum(TASKS),
  metric: z.enum(METRICS),
  classes: z.array(z.object({ label: z.string(), count: z.int() })).nullable(),
  positiveClass: z.string().nullable(),
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.enum(COLUMN_TYPES),
      missing: z.int(),
      distinct: z.int(),
      role: z.enum(['feature', 'target', 'ignored', 'dropped']),
      reason: z.string().nullable(),
    }),
  ),
  warnings: z.array(aboutColumns),
  decisions: z.array(z.string()),
});
export type ProfileResult = z.output<typeof profileResult>;

export const splitResult = z.object({
  trainRows: z.int(),
  holdoutRows: z.int(),
  folds: z.int(),
  stratified: z.boolean(),
  decisions: z.array(z.string()),
  warnings: z.array(coded),
});
export type SplitResult = z.output<typeof splitResult>;

export const prepareResult = z.object({
  features: z.array(z.object({ name: z.string(), type: z.string(), treatment: z.string() })),
  dropped: z.array(z.object({ name: z.string(), reason: z.string() })),
  decisions: z.array(z.string()),
  warnings: z.array(aboutColumns),
  estimates: z.object({ rows: finite, features: finite }),
});
export type PrepareResult = z.output<typeof prepareResult>;

export const trainResult = z.object({
  trialId: z.string(),
  family: z.enum(FAMILIES),
  score: finite,
  foldScores: z.array(finite.nullable()),
  fitSeconds: finite,
  predictMicrosPerRow: finite.nullable(),
  parameters: z.record(z.string(), z.unknown()),
  notes: z.array(z.string()),
  boundByTime: z.boolean(),
  sampled: z.boolean(),
  modelBytes: z.int(),
});

export const ensembleResult = z.object({
  trialId: z.string(),
  score: finite,
  foldScores: z.array(finite.nullable()),
  fitSeconds: finite,
  predictMicrosPerRow: finite.nullable(),
  weights: z.record(z.string(), finite),
  modelBytes: z.int(),
});

export const layOutCodeResult = z.object({
  form: z.enum(['FEATURES', 'FITTED', 'PIPELINE']),
  parts: z.array(z.string()).min(1),
  sample: z.boolean(),
});

export const layOutLookResult = z.object({ folder: z.string().regex(/^work\/code\/[\w-]+$/) });

export const checkCodeResult = z.object({
  columns: z.array(z.object({ name: z.string(), kind: z.enum(['number', 'category']) })),
  rows: z.int(),
});

const facts = z.record(z.string(), z.unknown());
export const describeColumnsResult = z.object({
  rows: z.int(),
  columns: z.array(z.looseObject({ id: z.string(), name: z.string(), type: z.enum(COLUMN_TYPES) })),
  target: facts,
});
export type DescribeColumnsResult = z.output<typeof describeColumnsResult>;

export const refitResult = z.object({
  trialId: z.string().nullable(),
  seconds: finite,
  reason: z.string().nullable(),
});
export type RefitResult = z.output<typeof refitResult>;

const scores = z.record(z.string(), finite.nullable());

export const evaluateResult = z.object({
  trialId: z.string(),
  metric: z.enum(METRICS),
  validation: scores,
  baseline: z.object({ validation: finite, holdout: finite.nullable() }),
  holdout: scores.nullable(),
  interval: interval.nullable(),
  /** What its resamples draw: units that are whole groups, or times of which `length` neighbours go together. */
  intervalOf: z
    .object({ drawn: z.enum(['ROWS', 'GROUPS', 'TIMES']), units: z.int(), length: z.int() })
    .nullable(),
  gap: finite.nullable(),
  warnings: z.array(coded),
  worstSlices: z.array(
    z.object({
      slice: z.string(),
      rows: finite,
      score: finite.nullable(),
      column: z.string().default(''),
      how: z.enum(['MISSING', 'RANGE', 'VALUE', '']).default(''),
    }),
  ),
  importances: z.array(z.object({ feature: z.string(), mean: finite, low: finite, high: finite })).nullable(),
});
export type EvaluateResult = z.output<typeof evaluateResult>;

export const reportResult = z.object({
  files: z.array(
    z.object({
      path: z.string(),
      name: z.string(),
      kind: z.enum(ARTIFACT_KINDS),
      contentType: z.string(),
    }),
  ),
  summary: z.string(),
});
export type ReportResult = z.output<typeof reportResult>;

/** A configuration's parameters on the wire: plain values by name. */
export type Parameters = Readonly<Record<string, string | number | boolean | readonly number[] | null>>;

/** Checks a command's result. Throws TOOLKIT_RESULT_INVALID, naming the field. */
export function parseResult<T>(command: string, schema: z.ZodType<T>, result: unknown): T {
  const parsed = schema.safeParse(result);
  if (parsed.success) return parsed.data;
  throw new SproutError(
    'TOOLKIT_RESULT_INVALID',
    `The toolkit's "${command}" answered in an unknown shape: ${z.prettifyError(parsed.error)}`,
    { hint: 'Toolkit and server are of different versions: run setup again.' },
  );
}
