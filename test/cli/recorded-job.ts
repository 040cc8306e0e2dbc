import type { JobSnapshot, JobUpdate } from '../../src/cli/wire.ts';
import type { EventBody, JobEvent } from '../../src/domain/events.ts';
import type { AgentRole, Stage } from '../../src/domain/vocabulary.ts';

export const JOB_ID = 'job_5b7c9a52-60bd-4c2e-a0f1-5d2f5a3f1c11';
const CREATED = Date.UTC(2026, 0, 31, 12, 0, 0);

const events: JobEvent[] = [];
let job: JobSnapshot = {
  id: JOB_ID,
  name: 'penguins: species',
  status: 'QUEUED',
  stage: null,
  progress: 0,
  etaSeconds: null,
  targetColumn: 'species',
  task: null,
  metric: null,
  timeBudgetSeconds: 30,
  mind: 'PLAYBOOK',
  sandbox: 'LOCAL',
  createdAt: new Date(CREATED),
  startedAt: null,
  finishedAt: null,
  lastSequence: 0,
  dataset: { name: 'penguins.csv' },
};

/** The updates of one small job from first to last, as a server tells them to whoever asks from the start. */
export const RECORDED: JobUpdate[] = [{ sequence: 0, job, event: null }];

function happen(
  seconds: number,
  who: { stage: Stage | null; agent: AgentRole | null },
  body: EventBody & { message: string },
  changes: Partial<JobSnapshot> = {},
): void {
  const at = new Date(CREATED + seconds * 1000);
  const event: JobEvent = { ...body, ...who, sequence: events.length + 1, at };
  events.push(event);
  job = { ...job, ...changes, stage: who.stage, lastSequence: event.sequence };
  RECORDED.push({ sequence: event.sequence, job, event });
}

const nobody = { stage: null, agent: null };
const by = (agent: AgentRole, stage: Stage) => ({ stage, agent });
const started = (agentRun: string, parentRun: string | null, name: string) => {
  return { type: 'AgentStarted', agentRun, parentRun, message: `${name} started` } as const;
};
const stepStarted = (agentRun: string, tool: string, step: string) => {
  return { type: 'StepStarted', agentRun, step, tool, input: null, message: `${step}: started` } as const;
};
const stepFinished = (agentRun: string, tool: string, step: string, seconds: number, message: string) => {
  return { type: 'StepFinished', agentRun, step, tool, ok: true, seconds, errorCode: null, message } as const;
};
const trial = (trialId: string, name: string, family: string, score: number, fitSeconds: number) => {
  const message = `${name}: ${score}`;
  return { type: 'TrialFinished', trialId, name, family, score, fitSeconds, message } as EventBody & {
    message: string;
  };
};
const best = (trialId: string, name: string, score: number, previousScore: number | null) => {
  return {
    type: 'BestImproved',
    trialId,
    name,
    score,
    previousScore,
    message: `${name} leads with ${score}`,
  } as const;
};

const TOP = 'orchestrator';
const TRAINING = 'orchestrator/training';

happen(0, nobody, { type: 'StatusChanged', from: null, to: 'QUEUED', message: 'The job is queued.' });
happen(
  0.02,
  nobody,
  { type: 'StatusChanged', from: 'QUEUED', to: 'RUNNING', message: 'The job is running.' },
  { status: 'RUNNING', startedAt: new Date(CREATED + 20) },
);
happen(0.1, by('ORCHESTRATOR', 'SETUP'), { type: 'StageStarted', message: 'SETUP started' });
happen(0.1, by('ORCHESTRATOR', 'SETUP'), started(TOP, null, 'Orchestrator'));
happen(0.2, by('ORCHESTRATOR', 'SETUP'), stepStarted(TOP, 'profile', 'Profile the table'));
happen(
  1.1,
  by('ORCHESTRATOR', 'SETUP'),
  stepFinished(TOP, 'profile', 'Profile the table', 0.9, '344 rows, 7 features; MULTICLASS by LOG_LOSS'),
  { task: 'MULTICLASS', metric: 'LOG_LOSS', progress: 0.04, etaSeconds: 27 },
);
happen(
  1.2,
  by('PREPROCESSING', 'PREPROCESSING'),
  started('orchestrator/preprocessing', TOP, 'Preprocessing'),
);
happen(
  1.2,
  by('PREPROCESSING', 'PREPROCESSING'),
  stepStarted('orchestrator/preprocessing', 'prepare', 'Plan the features'),
);
happen(1.6, by('PREPROCESSING', 'PREPROCESSING'), {
  type: 'LogWritten',
  level: 'WARNING',
  step: 'Plan the features',
  message: '11 rows have missing values in 5 columns',
});
happen(
  1.7,
  by('PREPROCESSING', 'PREPROCESSING'),
  stepFinished(
    'orchestrator/preprocessing',
    'prepare',
    'Plan the features',
    0.5,
    '7 features planned, 0 columns left out',
  ),
);
happen(
  1.8,
  by('PREPROCESSING', 'PREPROCESSING'),
  {
    type: 'AgentFinished',
    agentRun: 'orchestrator/preprocessing',
    seconds: 0.6,
    message: 'Preprocessing: 7 features, missing values filled inside the folds',
  },
  { progress: 0.06 },
);
happen(1.9, by('MASTER_TRAINER', 'TRAINING'), started(TRAINING, TOP, 'Master trainer'));
happen(1.95, by('MASTER_TRAINER', 'TRAINING'), {
  type: 'AgentSpoke',
  agentRun: TRAINING,
  message: 'A small table: every family gets a turn, two at a time.',
});
happen(2, by('SUB_TRAINER', 'TRAINING'), started(`${TRAINING}/1`, TRAINING, 'Sub-trainer for boosted trees'));
happen(2, by('SUB_TRAINER', 'TRAINING'), started(`${TRAINING}/2`, TRAINING, 'Sub-trainer for the rest'));
happen(2.1, by('SUB_TRAINER', 'TRAINING'), stepStarted(`${TRAINING}/1`, 'train', 'Baseline'));
happen(2.1, by('SUB_TRAINER', 'TRAINING'), stepStarted(`${TRAINING}/2`, 'train', 'Logistic regression'));
happen(
  2.2,
  by('SUB_TRAINER', 'TRAINING'),
  stepFinished(`${TRAINING}/1`, 'train', 'Baseline', 0.1, 'Baseline: 1.0463'),
);
happen(2.2, by('SUB_TRAINER', 'TRAINING'), trial('t1', 'Baseline', 'BASELINE', 1.0463, 0.01));
happen(2.3, by('SUB_TRAINER', 'TRAINING'), stepStarted(`${TRAINING}/1`, 'train', 'Boosted trees 1'));
happen(
  2.9,
  by('SUB_TRAINER', 'TRAINING'),
  stepFinished(`${TRAINING}/2`, 'train', 'Logistic regression', 0.8, 'Logistic regression: 0.0214'),
);
happen(2.9, by('SUB_TRAINER', 'TRAINING'), trial('t2', 'Logistic regression', 'LINEAR', 0.0214, 0.7));
happen(2.9, by('SUB_TRAINER', 'TRAINING'), best('t2', 'Logistic regression', 0.0214, 1.0463), {
  progress: 0.2,
  etaSeconds: 22,
});
happen(3, by('SUB_TRAINER', 'TRAINING'), stepStarted(`${TRAINING}/2`, 'train', 'Forest 1'));
happen(
  3.4,
  by('SUB_TRAINER', 'TRAINING'),
  {
    type: 'ProgressMade',
    progress: 0.31,
    step: 'Boosted trees 1',
    message: 'Boosted trees 1: fold 2 of 5: 0.0391',
  },
  { progress: 0.31, etaSeconds: 19 },
);

/** Up to here the job is in the middle of training. */
export const MIDWAY = RECORDED.length;

happen(
  4.6,
  by('SUB_TRAINER', 'TRAINING'),
  stepFinished(`${TRAINING}/1`, 'train', 'Boosted trees 1', 2.3, 'Boosted trees 1: 0.0307'),
);
happen(4.6, by('SUB_TRAINER', 'TRAINING'), trial('t3', 'Boosted trees 1', 'LIGHTGBM', 0.0307, 2.2));
happen(5, by('SUB_TRAINER', 'TRAINING'), {
  type: 'StepFinished',
  agentRun: `${TRAINING}/2`,
  step: 'Forest 1',
  tool: 'train',
  ok: false,
  seconds: 2,
  errorCode: 'TRIAL_TOO_SLOW',
  message: 'Forest 1: TRIAL_TOO_SLOW: one fold took 2 s of the 3 s there were.',
});
for (const nth of [1, 2]) {
  happen(5.1, by('SUB_TRAINER', 'TRAINING'), {
    type: 'AgentFinished',
    agentRun: `${TRAINING}/${nth}`,
    seconds: 3.1,
    message: '2 configurations tried',
  });
}
happen(5.2, by('MASTER_TRAINER', 'TRAINING'), {
  type: 'AgentFinished',
  agentRun: TRAINING,
  seconds: 3.3,
  message: '3 trials, Logistic regression leads',
});
happen(5.3, by('ORCHESTRATOR', 'REPORTING'), stepStarted(TOP, 'report', 'Write the report'));
happen(6, by('ORCHESTRATOR', 'REPORTING'), {
  type: 'ArtifactSaved',
  artifactId: 'artifact_1',
  name: 'model.pkl',
  kind: 'MODEL',
  size: 184_320,
  message: 'model.pkl saved',
});
happen(
  6.1,
  by('ORCHESTRATOR', 'REPORTING'),
  stepFinished(TOP, 'report', 'Write the report', 0.8, '1 files written'),
);
happen(
  6.2,
  by('ORCHESTRATOR', 'REPORTING'),
  { type: 'AgentFinished', agentRun: TOP, seconds: 6.1, message: 'Logistic regression it is' },
  { progress: 1, etaSeconds: 0 },
);
happen(
  6.3,
  nobody,
  { type: 'StatusChanged', from: 'RUNNING', to: 'SUCCEEDED', message: 'The job has succeeded.' },
  { status: 'SUCCEEDED', finishedAt: new Date(CREATED + 6300), etaSeconds: null },
);

export const RECORDED_AT_MS = CREATED;
