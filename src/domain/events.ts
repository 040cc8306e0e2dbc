import type { AgentRole, ArtifactKind, Family, JobStatus, Stage } from './vocabulary.ts';

/**
 * What happened, by kind. `agentRun` names one agent's run within the job ("orchestrator", "orchestrator/training/2"), so
 * that a client can draw the tree; `parentRun` is the run that delegated to it.
 */
export type EventBody =
  | { type: 'StatusChanged'; from: JobStatus | null; to: JobStatus }
  | { type: 'StageStarted' }
  | { type: 'StageFinished'; seconds: number }
  | { type: 'AgentStarted'; agentRun: string; parentRun: string | null }
  | { type: 'AgentFinished'; agentRun: string; seconds: number }
  | { type: 'AgentSpoke'; agentRun: string }
  | { type: 'StepStarted'; agentRun: string; step: string; tool: string; input: unknown }
  | {
      type: 'StepFinished';
      agentRun: string;
      step: string;
      tool: string;
      ok: boolean;
      seconds: number;
      errorCode: string | null;
    }
  | {
      type: 'TrialFinished';
      trialId: string;
      name: string;
      family: Family;
      score: number;
      fitSeconds: number;
    }
  | { type: 'BestImproved'; trialId: string; name: string; score: number; previousScore: number | null }
  | { type: 'ProgressMade'; progress: number; step: string | null }
  | { type: 'LogWritten'; level: 'INFO' | 'WARNING' | 'ERROR'; step: string | null }
  | { type: 'ArtifactSaved'; artifactId: string; name: string; kind: ArtifactKind; size: number }
  | { type: 'FallbackUsed'; agentRun: string | null; from: string; to: string; reason: string };

export type EventType = EventBody['type'];

/** An event before it has a number: what a runner or agent hands to the log. */
export type NewEvent = EventBody & { stage: Stage | null; agent: AgentRole | null; message: string };

/** An event as it stands in the log: `sequence` is 1, 2, 3 … without gaps within its job. */
export type JobEvent = NewEvent & { sequence: number; at: Date };
