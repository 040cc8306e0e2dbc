import { z } from 'zod';
import type { EventType, JobEvent } from '../domain/events.ts';
import {
  AGENTS,
  ARTIFACT_KINDS,
  type Family,
  JOB_STATUSES,
  METRICS,
  MINDS,
  SANDBOX_KINDS,
  STAGES,
  TASKS,
} from '../domain/vocabulary.ts';
import type { UnionError } from './errors.ts';

/** How the answers to documents.ts are read: each is checked here before anything else sees it. */

const dateTime = z.string().transform((text, context) => {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) context.addIssue(`not a date: ${text}`);
  return date;
});

const jobSnapshot = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(JOB_STATUSES),
  stage: z.enum(STAGES).nullable(),
  progress: z.number(),
  etaSeconds: z.number().nullable(),
  targetColumn: z.string(),
  task: z.enum(TASKS).nullable(),
  metric: z.enum(METRICS).nullable(),
  timeBudgetSeconds: z.number(),
  mind: z.enum(MINDS),
  sandbox: z.enum(SANDBOX_KINDS),
  createdAt: dateTime,
  startedAt: dateTime.nullable(),
  finishedAt: dateTime.nullable(),
  lastSequence: z.number().int(),
  dataset: z.object({ name: z.string() }),
});
export type JobSnapshot = z.output<typeof jobSnapshot>;

const trial = z.object({
  id: z.string(),
  name: z.string(),
  family: z.string(),
  score: z.number(),
  fitSeconds: z.number(),
});

const jobOutcome = jobSnapshot.extend({
  result: z
    .object({
      metric: z.enum(METRICS),
      validationScore: z.number(),
      holdoutScore: z.number().nullable(),
      holdoutInterval: z.object({ low: z.number(), high: z.number() }).nullable(),
      baselineScore: z.number(),
      playbookScore: z.number().nullable(),
      lift: z.number().nullable(),
      summary: z.string(),
      bestTrial: trial,
    })
    .nullable(),
  failure: z
    .object({
      code: z.string(),
      message: z.string(),
      hint: z.string().nullable(),
      stage: z.enum(STAGES).nullable(),
    })
    .nullable(),
  leaderboard: z.array(trial.extend({ isBaseline: z.boolean(), isBest: z.boolean() })),
  usage: z.object({
    modelCalls: z.number(),
    inputTokens: z.number(),
    outputTokens: z.number(),
    estimatedCostUsd: z.number(),
  }),
});
export type JobOutcome = z.output<typeof jobOutcome>;

const artifact = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(ARTIFACT_KINDS),
  contentType: z.string(),
  size: z.coerce.number(),
  sha256: z.string(),
  signedUrl: z.object({ url: z.string() }),
});
export type ArtifactLink = z.output<typeof artifact>;

// A newer server may know families this release does not: their trials still belong on the leaderboard.
const family = z.string().transform((text) => text as Family);

const anyEvent = {
  sequence: z.number().int(),
  at: dateTime,
  stage: z.enum(STAGES).nullable(),
  agent: z.enum(AGENTS).nullable(),
  message: z.string(),
};
const event = <Type extends EventType, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.object({ ...anyEvent, type: z.literal(type), ...shape });

const knownEvent = z.discriminatedUnion('type', [
  event('StatusChanged', {
    fromStatus: z.enum(JOB_STATUSES).nullable(),
    toStatus: z.enum(JOB_STATUSES),
  }).transform(({ fromStatus: from, toStatus: to, ...rest }) => ({ ...rest, from, to })),
  event('StageStarted', {}),
  event('StageFinished', { seconds: z.number() }),
  event('AgentStarted', { agentRun: z.string(), parentRun: z.string().nullable() }),
  event('AgentFinished', { agentRun: z.string(), seconds: z.number() }),
  event('AgentSpoke', { agentRun: z.string() }),
  // The view needs no step inputs, and some are long: they are not asked for.
  event('StepStarted', { agentRun: z.string(), step: z.string(), tool: z.string() }).transform((body) => ({
    ...body,
    input: null,
  })),
  event('StepFinished', {
    agentRun: z.string(),
    step: z.string(),
    tool: z.string(),
    ok: z.boolean(),
    seconds: z.number(),
    errorCode: z.string().nullable(),
  }),
  event('TrialFinished', {
    trialId: z.string(),
    name: z.string(),
    family,
    score: z.number(),
    fitSeconds: z.number(),
  }),
  event('BestImproved', {
    trialId: z.string(),
    name: z.string(),
    score: z.number(),
    previousScore: z.number().nullable(),
  }),
  event('ProgressMade', { progress: z.number(), atStep: z.string().nullable() }).transform(
    ({ atStep: step, ...rest }) => ({ ...rest, step }),
  ),
  event('LogWritten', {
    level: z.enum(['INFO', 'WARNING', 'ERROR']),
    atStep: z.string().nullable(),
  }).transform(({ atStep: step, ...rest }) => ({ ...rest, step })),
  event('ArtifactSaved', {
    artifactId: z.string(),
    name: z.string(),
    artifactKind: z.enum(ARTIFACT_KINDS),
    size: z.coerce.number(),
  }).transform(({ artifactKind: kind, ...rest }) => ({ ...rest, kind })),
  event('FallbackUsed', {
    fallbackRun: z.string().nullable(),
    from: z.string(),
    to: z.string(),
    reason: z.string(),
  }).transform(({ fallbackRun: agentRun, ...rest }) => ({ ...rest, agentRun })),
]);

const KNOWN_TYPES = {
  StatusChanged: true,
  StageStarted: true,
  StageFinished: true,
  AgentStarted: true,
  AgentFinished: true,
  AgentSpoke: true,
  StepStarted: true,
  StepFinished: true,
  TrialFinished: true,
  BestImproved: true,
  ProgressMade: true,
  LogWritten: true,
  ArtifactSaved: true,
  FallbackUsed: true,
} as const satisfies Record<EventType, true>;

/** An event type that this release has not heard of is kept as a line of the log. */
const newerEvent = z
  .object({ ...anyEvent, type: z.string().refine((type) => !Object.hasOwn(KNOWN_TYPES, type)) })
  .transform((newer) => ({ ...newer, type: 'LogWritten' as const, level: 'INFO' as const, step: null }));

export const jobEventSchema = z.union([knownEvent, newerEvent]) satisfies z.ZodType<JobEvent>;

/** A job as it was when the event happened; `event` is null in the first update of a subscription. */
export interface JobUpdate {
  sequence: number;
  job: JobSnapshot;
  event: JobEvent | null;
}
const jobUpdate = z.object({
  sequence: z.number().int(),
  job: jobSnapshot,
  event: jobEventSchema.nullable(),
}) satisfies z.ZodType<JobUpdate>;

const unionError = z.object({
  __typename: z.string(),
  code: z.string(),
  message: z.string(),
  hint: z.string().nullish(),
}) satisfies z.ZodType<UnionError>;

const health = z.object({
  version: z.string(),
  mind: z.enum(MINDS),
  sandbox: z.object({ kind: z.enum(SANDBOX_KINDS), containment: z.string(), description: z.string() }),
});
export type ServerHealth = z.output<typeof health>;

export const ANSWERS = {
  health: z.object({ health }),
  startTraining: z.object({
    startTraining: z.union([
      z.object({ __typename: z.literal('StartTrainingSuccess'), job: jobSnapshot }),
      unionError,
    ]),
  }),
  cancelJob: z.object({ cancelJob: z.union([unionError, z.object({ __typename: z.string() })]) }),
  job: z.object({ job: jobOutcome.nullable() }),
  artifacts: z.object({
    artifacts: z.object({
      edges: z.array(z.object({ node: artifact })),
      pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
    }),
  }),
  jobUpdated: z.object({ jobUpdated: jobUpdate }),
} as const;
