import type { EventType } from '../domain/events.ts';
import type { ArtifactId } from '../domain/ids.ts';
import { builder } from './builder.ts';
import { AgentEnum, ArtifactKindEnum, JobStatusEnum, LogLevelEnum, StageEnum } from './enums.ts';
import { encodeGlobalId } from './global-id.ts';
import { ArtifactRef, type JobEventShape, TrialRef } from './refs.ts';
import { toTrialShape, trialGlobalId } from './trial.ts';

export const JobEventInterface = builder.interfaceRef<JobEventShape>('JobEvent').implement({
  description: "One entry of a job's append-only log, numbered 1, 2, 3 … without gaps.",
  resolveType: (event) => event.type,
  fields: (t) => ({
    sequence: t.exposeInt('sequence', { description: 'Its number within the job.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened.' }),
    stage: t.expose('stage', {
      type: StageEnum,
      description: 'What the job was doing.',
      nullable: true,
    }),
    agent: t.expose('agent', { type: AgentEnum, description: 'Who did it.', nullable: true }),
    message: t.exposeString('message', { description: 'What happened, for people.' }),
  }),
});

type EventOf<T extends EventType> = JobEventShape & { type: T };
const eventRef = <const T extends EventType>(type: T) => builder.objectRef<EventOf<T>>(type);

const AGENT_RUN = 'The run of the agent, as a path: `orchestrator/training/2`.';
const STEP = 'Key of the step.';

eventRef('StatusChanged').implement({
  description: 'The job moved to another state.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    from: t.expose('from', { type: JobStatusEnum, description: 'Before.', nullable: true }),
    to: t.expose('to', { type: JobStatusEnum, description: 'After.' }),
  }),
});

eventRef('StageStarted').implement({
  description: 'A stage began.',
  interfaces: [JobEventInterface],
});

eventRef('StageFinished').implement({
  description: 'A stage ended.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    seconds: t.exposeFloat('seconds', { description: 'How long it took.' }),
  }),
});

eventRef('AgentStarted').implement({
  description: 'An agent took up its work.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    agentRun: t.exposeString('agentRun', { description: AGENT_RUN }),
    parentRun: t.exposeString('parentRun', {
      description: 'The run that handed it the work; null for the first.',
      nullable: true,
    }),
  }),
});

eventRef('AgentFinished').implement({
  description: 'An agent laid down its work.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    agentRun: t.exposeString('agentRun', { description: AGENT_RUN }),
    seconds: t.exposeFloat('seconds', { description: 'How long it took.' }),
  }),
});

eventRef('AgentSpoke').implement({
  description: 'An agent said what it thinks or decided; `message` holds it.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    agentRun: t.exposeString('agentRun', { description: AGENT_RUN }),
  }),
});

eventRef('StepStarted').implement({
  description: 'An agent called a tool.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    agentRun: t.exposeString('agentRun', { description: AGENT_RUN }),
    step: t.exposeString('step', { description: STEP }),
    tool: t.exposeString('tool', { description: 'Name of the tool.' }),
    input: t.expose('input', { type: 'JSON', description: 'What the tool was called with.', nullable: true }),
  }),
});

eventRef('StepFinished').implement({
  description: 'A tool call ended. A finished step is never done again, whatever restarts.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    agentRun: t.exposeString('agentRun', { description: AGENT_RUN }),
    step: t.exposeString('step', { description: STEP }),
    tool: t.exposeString('tool', { description: 'Name of the tool.' }),
    ok: t.exposeBoolean('ok', { description: 'Whether it did what was asked.' }),
    seconds: t.exposeFloat('seconds', { description: 'How long it took.' }),
    errorCode: t.exposeString('errorCode', { description: 'What went wrong.', nullable: true }),
  }),
});

eventRef('TrialFinished').implement({
  description: 'A model was cross-validated.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    trialId: t.id({
      description: 'The id of the trial.',
      resolve: ({ jobId, trialId }) => trialGlobalId(jobId, trialId),
    }),
    name: t.exposeString('name', { description: 'Name of the trial.' }),
    family: t.exposeString('family', { description: 'Kind of model.' }),
    score: t.exposeFloat('score', { description: "Validation score in the job's metric." }),
    fitSeconds: t.exposeFloat('fitSeconds', { description: 'Seconds spent fitting.' }),
    trial: t.field({
      type: TrialRef,
      description: 'The whole trial.',
      nullable: true,
      resolve: async ({ jobId, trialId }, _args, { jobs }) => {
        const [job, trial] = await Promise.all([jobs.job(jobId), jobs.trial(jobId, trialId)]);
        return job === null || trial === null ? null : toTrialShape(trial, job);
      },
    }),
  }),
});

eventRef('BestImproved').implement({
  description: 'There is a new best model.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    trialId: t.id({
      description: 'The id of the trial.',
      resolve: ({ jobId, trialId }) => trialGlobalId(jobId, trialId),
    }),
    name: t.exposeString('name', { description: 'Name of the trial.' }),
    score: t.exposeFloat('score', { description: 'Its validation score.' }),
    previousScore: t.exposeFloat('previousScore', {
      description: 'The best until then; null for the first.',
      nullable: true,
    }),
  }),
});

eventRef('ProgressMade').implement({
  description: 'The job moved on within a step. Several may be merged into the latest.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    progress: t.exposeFloat('progress', { description: 'Of the whole job: 0 to 1.' }),
    step: t.exposeString('step', { description: STEP, nullable: true }),
  }),
});

eventRef('LogWritten').implement({
  description: 'A line of log; `message` holds it.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    level: t.expose('level', { type: LogLevelEnum, description: 'How serious it is.' }),
    step: t.exposeString('step', { description: STEP, nullable: true }),
  }),
});

eventRef('ArtifactSaved').implement({
  description: 'A file is ready to download.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    artifactId: t.id({
      description: 'The id of the artifact.',
      resolve: ({ artifactId }) => encodeGlobalId('Artifact', artifactId),
    }),
    name: t.exposeString('name', { description: 'File name.' }),
    kind: t.expose('kind', { type: ArtifactKindEnum, description: 'What the file is for.' }),
    size: t.expose('size', { type: 'ByteSize', description: 'Size of the file.' }),
    artifact: t.field({
      type: ArtifactRef,
      description: 'The artifact; null when a later file of the same name took its place.',
      nullable: true,
      resolve: ({ artifactId }, _args, { jobs }) => jobs.artifact(artifactId as ArtifactId),
    }),
  }),
});

eventRef('FallbackUsed').implement({
  description: 'Something was not to be had and something else took its place.',
  interfaces: [JobEventInterface],
  fields: (t) => ({
    agentRun: t.exposeString('agentRun', { description: AGENT_RUN, nullable: true }),
    from: t.exposeString('from', { description: 'What was not to be had.' }),
    to: t.exposeString('to', { description: 'What took its place.' }),
    reason: t.exposeString('reason', { description: 'Why.' }),
  }),
});
