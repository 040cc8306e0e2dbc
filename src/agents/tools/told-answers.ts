import { z } from 'zod';
import { cleaned, LONGEST_TRACEBACK, label, withoutCells } from '../code/told.ts';
import type { AgentContext } from '../context.ts';

/**
 * Answers as a language model is told them: the shapes stay, so that the playbook can read on in them, and of the words only what a
 * model may have. Names of columns become labels; sentences that quote names and cells are left out.
 */

const answered = z.object({ ok: z.literal(true), result: z.looseObject({}) });
const failed = z.looseObject({
  ok: z.literal(false),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }),
});

const named = z.looseObject({ name: z.string() });
const warning = z.looseObject({ code: z.string() });

function change(
  answer: unknown,
  with_: (result: Record<string, unknown>) => Record<string, unknown>,
): unknown {
  const parsed = answered.safeParse(answer);
  if (!parsed.success) return answer;
  return { ...(answer as object), result: { ...parsed.data.result, ...with_(parsed.data.result) } };
}

const codesOnly = (warnings: unknown) =>
  z
    .array(warning)
    .parse(warnings ?? [])
    .map(({ code }) => ({ code }));

export const withoutWords = (answer: unknown): unknown =>
  change(answer, ({ warnings }) => ({ decisions: [], warnings: codesOnly(warnings) }));

export const toldOfProfile = (answer: unknown): unknown =>
  change(answer, ({ columns, classes, warnings }) => ({
    columns: z
      .array(named)
      .parse(columns)
      .map(({ reason: _reason, ...column }) => ({ ...column, name: label(column.name) })),
    classes: Array.isArray(classes) ? classes.length : null,
    positiveClass: null,
    decisions: [],
    warnings: codesOnly(warnings),
  }));

export const toldOfPlan = (answer: unknown): unknown =>
  change(answer, ({ features, dropped, warnings }) => ({
    features: z
      .array(named)
      .parse(features)
      .map((feature) => ({ ...feature, name: label(feature.name) })),
    dropped: z
      .array(named)
      .parse(dropped)
      .map(({ name }) => ({ name: label(name), reason: '' })),
    decisions: [],
    warnings: codesOnly(warnings),
  }));

export const toldOfEvaluation = (answer: unknown): unknown =>
  change(answer, ({ importances, warnings }) => ({
    worstSlices: [],
    importances: Array.isArray(importances)
      ? z
          .array(z.looseObject({ feature: z.string() }))
          .parse(importances)
          .map((entry) => ({ ...entry, feature: label(entry.feature) }))
      : null,
    warnings: codesOnly(warnings),
  }));

/** Errors of libraries may quote cells. Our own code's words are ours, and those of agent-written code are dealt with where it failed. */
const MAY_QUOTE: ReadonlySet<string> = new Set(['TRIAL_FAILED', 'TOOLKIT_BUG', 'TOOLKIT_CRASHED']);

export function toldOfError(answer: unknown, { team }: AgentContext): unknown {
  const parsed = failed.safeParse(answer);
  if (!parsed.success) return answer;
  const { error } = parsed.data;
  const message = cleaned(error.message).slice(-LONGEST_TRACEBACK);
  const quotes = MAY_QUOTE.has(error.code) && !team.shareSamples;
  return { ...parsed.data, error: { ...error, message: quotes ? withoutCells(message, '') : message } };
}
