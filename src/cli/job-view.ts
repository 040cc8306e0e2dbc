import type { JobEvent } from '../domain/events.ts';
import { type Family, isBetter, type Metric, type Stage } from '../domain/vocabulary.ts';
import type { JobSnapshot, JobUpdate } from './wire.ts';

/** Everything a terminal shows of a job, made from its updates alone: `updates.reduce(applyUpdate, EMPTY_VIEW)`. */
export interface JobView {
  readonly job: JobSnapshot | null;
  readonly stage: Stage | null;
  /** By run, in the order they started. */
  readonly agents: ReadonlyMap<string, AgentRun>;
  /** Best first. */
  readonly trials: readonly TrialLine[];
  readonly bestTrialId: string | null;
  /** Newest last, at most MESSAGES_KEPT. */
  readonly messages: readonly Message[];
  readonly artifacts: { readonly count: number; readonly bytes: number };
  /** This machine's clock minus the server's, in milliseconds, as closely as the quickest event tells. */
  readonly clockSkewMs: number;
}

export interface AgentRun {
  readonly run: string;
  readonly parent: string | null;
  /** "Sub-trainer for LightGBM". */
  readonly name: string;
  readonly startedAt: Date;
  /** Null while it runs. */
  readonly seconds: number | null;
  /** Running steps by label, oldest first. */
  readonly steps: ReadonlyMap<string, Step>;
  readonly stepsDone: number;
  readonly stepsFailed: number;
  /** What it said last, or what its last step came to. */
  readonly remark: string | null;
}

export interface Step {
  readonly tool: string;
  /** How far it is, in its own words; null until it tells. */
  readonly note: string | null;
}

export interface TrialLine {
  readonly id: string;
  readonly name: string;
  readonly family: Family;
  readonly score: number;
  readonly fitSeconds: number;
}

export interface Message {
  readonly at: Date;
  readonly tone: 'plain' | 'good' | 'warning' | 'error';
  readonly text: string;
}

const MESSAGES_KEPT = 40;

export const EMPTY_VIEW: JobView = {
  job: null,
  stage: null,
  agents: new Map(),
  trials: [],
  bestTrialId: null,
  messages: [],
  artifacts: { count: 0, bytes: 0 },
  clockSkewMs: Number.POSITIVE_INFINITY,
};

/** The view after one more update. `receivedAtMs` is this machine's clock. */
export function applyUpdate(view: JobView, update: JobUpdate, receivedAtMs: number): JobView {
  const { job, event } = update;
  const metric = job.metric ?? view.job?.metric ?? null;
  const known = { ...view, job, stage: job.stage, trials: ranked(view.trials, metric) };
  if (event === null) return known;
  // An event arrives after it happened: the smallest difference seen is nearest to the clocks' own.
  const clockSkewMs = Math.min(view.clockSkewMs, receivedAtMs - event.at.getTime());
  return applyEvent({ ...known, clockSkewMs }, event, metric);
}

function applyEvent(view: JobView, event: JobEvent, metric: Metric | null): JobView {
  switch (event.type) {
    case 'AgentStarted':
      return withAgent(view, {
        run: event.agentRun,
        parent: event.parentRun,
        name: agentName(event),
        startedAt: event.at,
        seconds: null,
        steps: new Map(),
        stepsDone: 0,
        stepsFailed: 0,
        remark: null,
      });
    case 'AgentFinished':
      return changeAgent(view, event.agentRun, ({ name }) => ({
        seconds: event.seconds,
        steps: new Map(),
        remark: without(event.message, name),
      }));
    case 'AgentSpoke':
      return say(
        changeAgent(view, event.agentRun, ({ name }) => ({ remark: without(event.message, name) })),
        event,
        'plain',
      );
    case 'StepStarted':
      return changeAgent(view, event.agentRun, ({ steps }) => ({
        steps: new Map(steps).set(event.step, { tool: event.tool, note: null }),
      }));
    case 'StepFinished': {
      const after = changeAgent(view, event.agentRun, (agent) => ({
        steps: new Map([...agent.steps].filter(([step]) => step !== event.step)),
        stepsDone: agent.stepsDone + 1,
        stepsFailed: agent.stepsFailed + (event.ok ? 0 : 1),
        remark: event.message,
      }));
      return event.ok ? after : say(after, event, 'warning');
    }
    case 'ProgressMade': {
      const { step } = event;
      const owner = [...view.agents.values()].find((agent) => step !== null && agent.steps.has(step));
      if (!owner || step === null) return view;
      return changeAgent(view, owner.run, ({ steps }) => ({
        steps: new Map(
          [...steps].map(([key, running]) => [
            key,
            key === step ? { ...running, note: without(event.message, step) } : running,
          ]),
        ),
      }));
    }
    case 'TrialFinished': {
      const { trialId: id, name, family, score, fitSeconds } = event;
      const others = view.trials.filter((trial) => trial.id !== id);
      return { ...view, trials: ranked([...others, { id, name, family, score, fitSeconds }], metric) };
    }
    case 'BestImproved':
      return say({ ...view, bestTrialId: event.trialId }, event, 'good');
    case 'ArtifactSaved':
      return {
        ...view,
        artifacts: { count: view.artifacts.count + 1, bytes: view.artifacts.bytes + event.size },
      };
    case 'StatusChanged':
      return say(view, event, event.to === 'FAILED' ? 'error' : 'plain');
    case 'LogWritten':
      return say(
        view,
        event,
        event.level === 'ERROR' ? 'error' : event.level === 'WARNING' ? 'warning' : 'plain',
      );
    case 'FallbackUsed':
      return say(view, event, 'warning');
    case 'StageStarted':
    case 'StageFinished':
      return view;
    default:
      return event satisfies never;
  }
}

const say = (view: JobView, event: JobEvent, tone: Message['tone']): JobView => ({
  ...view,
  messages: [...view.messages, { at: event.at, tone, text: event.message }].slice(-MESSAGES_KEPT),
});

const withAgent = (view: JobView, agent: AgentRun): JobView => ({
  ...view,
  agents: new Map(view.agents).set(agent.run, agent),
});

/** A run we never saw starting (a resumed attempt, a newer server) is left out rather than guessed. */
function changeAgent(view: JobView, run: string, change: (agent: AgentRun) => Partial<AgentRun>): JobView {
  const agent = view.agents.get(run);
  return agent ? withAgent(view, { ...agent, ...change(agent) }) : view;
}

/** Best first under the metric's own direction; before the metric is known, as they came. */
function ranked(trials: readonly TrialLine[], metric: Metric | null): readonly TrialLine[] {
  if (metric === null) return trials;
  return trials.toSorted((a, b) =>
    isBetter(metric, a.score, b.score) ? -1 : isBetter(metric, b.score, a.score) ? 1 : 0,
  );
}

/** As its start announces it ("Evaluator started"), else by its role, else by its run. */
function agentName({ agentRun, agent, message }: JobEvent & { type: 'AgentStarted' }): string {
  const announced = /^(.+) started$/.exec(message)?.[1];
  return announced ?? agent?.toLowerCase().replace('_', ' ') ?? agentRun;
}

/** Messages read "LightGBM: fold 2 of 5", and on screen the name stands beside them already. */
const without = (message: string, name: string): string =>
  message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
