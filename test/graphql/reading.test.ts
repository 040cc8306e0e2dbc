import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newArtifactId } from '../../src/domain/ids.ts';
import { beat, claimQueued } from '../../src/jobs/claim.ts';
import { type Api, openApi, table } from '../http/api.ts';

let api: Api;
let ids: string[];
beforeAll(async () => {
  api = await openApi();
  ids = [];
  for (let n = 0; n < 5; n++) {
    const { job } = await api.start(table(), { targetColumn: 'y', name: `job ${n}` });
    ids.unshift(job?.id ?? '');
  }
});
afterAll(() => api.close());

const absent = '00000000-0000-4000-8000-000000000000';

it('finds any node by its global id, and nothing by a forged one', async () => {
  const { job } = await api.ask<{ job: { id: string; dataset: { id: string } } }>(
    'query ($id: ID!) { job(id: $id) { id dataset { id } } }',
    { id: ids[0] },
  );
  const node = async (id: string) =>
    (await api.ask<{ node: unknown }>('query ($id: ID!) { node(id: $id) { __typename id } }', { id })).node;
  expect(await node(job.id)).toEqual({ __typename: 'Job', id: job.id });
  expect(await node(job.dataset.id)).toEqual({ __typename: 'Dataset', id: job.dataset.id });
  const forged = [
    '',
    'x',
    'job_',
    `job_${absent}`,
    `artifact_${absent}`,
    `dataset_${absent}`,
    `user_${absent}`,
  ];
  for (const id of [...forged, job.id.toUpperCase(), `${job.id}0`, job.id.replace('job', 'dataset')]) {
    expect(await node(id)).toBeNull();
  }
});

it('takes the bare id that stands in the log where the type is clear', async () => {
  const bare = ids[0]?.replace('job_', '');
  const { job } = await api.ask<{ job: { id: string } }>('query ($id: ID!) { job(id: $id) { id } }', {
    id: bare,
  });
  expect(job.id).toBe(ids[0]);
});

it('pages through jobs in both directions without missing or repeating one', async () => {
  interface Page {
    jobs: {
      edges: { cursor: string; node: { id: string } }[];
      pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
    };
  }
  const page = async (args: Record<string, unknown>) =>
    (
      await api.ask<Page>(
        `query ($first: Int, $after: String, $last: Int, $before: String) {
          jobs(first: $first, after: $after, last: $last, before: $before) {
            edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`,
        args,
      )
    ).jobs;

  const forwards: string[] = [];
  let after: string | undefined;
  for (;;) {
    const { edges, pageInfo } = await page({ first: 2, after });
    forwards.push(...edges.map(({ node }) => node.id));
    after = pageInfo.endCursor;
    if (!pageInfo.hasNextPage) break;
  }
  expect(forwards).toEqual(ids);

  const backwards: string[] = [];
  let before: string | undefined;
  for (;;) {
    const { edges, pageInfo } = await page({ last: 2, before });
    backwards.unshift(...edges.map(({ node }) => node.id));
    before = pageInfo.startCursor;
    if (!pageInfo.hasPreviousPage) break;
  }
  expect(backwards).toEqual(ids);

  await expect(page({ first: 101 })).rejects.toThrow('`first` must be between 1 and 100, not 101.');
  await expect(page({ first: 0 })).rejects.toThrow('between 1 and 100');
  await expect(page({ first: 1, last: 1 })).rejects.toThrow('not both');
  await expect(page({ first: 1, after: 'forged' })).rejects.toThrow('not a cursor');
});

it('filters jobs', async () => {
  const count = async (filter: Record<string, unknown>) =>
    (
      await api.ask<{ jobs: { nodes: unknown[] } }>(
        'query ($filter: JobFilter) { jobs(filter: $filter) { nodes { id } } }',
        { filter },
      )
    ).jobs.nodes.length;
  expect(await count({ statuses: ['QUEUED'] })).toBe(5);
  expect(await count({ statuses: ['RUNNING', 'FAILED'] })).toBe(0);
  expect(await count({ nameContains: 'JOB 3' })).toBe(1);
  expect(await count({ datasetId: `dataset_${absent}` })).toBe(0);
  expect(await count({ datasetId: 'nonsense' })).toBe(0);
});

it('shows all that a runner recorded: trials, result, events of each kind, artifacts', async () => {
  const { rig } = api;
  const claimed = await claimQueued(rig.store);
  if (claimed === null) throw new Error('nothing to claim');
  const claim = { jobId: claimed.id, attempt: claimed.attempt };
  const recorder = rig.recorder(claim);
  const by = { stage: 'TRAINING', agent: 'SUB_TRAINER', message: 'm' } as const;
  const trial = (id: string, score: number, isBaseline: boolean) => ({
    id,
    name: id,
    family: isBaseline ? ('BASELINE' as const) : ('LIGHTGBM' as const),
    agent: 'SUB_TRAINER' as const,
    origin: isBaseline ? ('PLAYBOOK' as const) : ('LANGUAGE_MODEL' as const),
    score,
    foldScores: [score, score],
    fitSeconds: 1.5,
    predictMicrosPerRow: 3,
    parameters: { depth: 3 },
    isBaseline,
  });
  await recorder.record(
    [
      { type: 'StageStarted', ...by },
      { type: 'AgentStarted', agentRun: 'orchestrator', parentRun: null, ...by },
      { type: 'AgentSpoke', agentRun: 'orchestrator', ...by },
      {
        type: 'StepStarted',
        agentRun: 'orchestrator',
        step: 's',
        tool: 't',
        input: { deep: [1, null] },
        ...by,
      },
      {
        type: 'StepFinished',
        agentRun: 'orchestrator',
        step: 's',
        tool: 't',
        ok: true,
        seconds: 1,
        errorCode: null,
        ...by,
      },
      {
        type: 'TrialFinished',
        trialId: 'best',
        name: 'best',
        family: 'LIGHTGBM',
        score: 0.9,
        fitSeconds: 1.5,
        ...by,
      },
      { type: 'BestImproved', trialId: 'best', name: 'best', score: 0.9, previousScore: null, ...by },
      { type: 'LogWritten', level: 'WARNING', step: null, ...by },
      { type: 'FallbackUsed', agentRun: null, from: 'a', to: 'b', reason: 'c', ...by },
      { type: 'AgentFinished', agentRun: 'orchestrator', seconds: 2, ...by },
      { type: 'StageFinished', seconds: 3, ...by },
    ],
    {
      stage: 'TRAINING',
      task: 'BINARY',
      metric: 'ROC_AUC',
      jobColumns: [
        {
          name: 'a',
          type: 'NUMERIC',
          role: 'FEATURE',
          treatment: 'number',
          reason: null,
          warnings: [{ code: 'LEAK_LIKELY', message: 'it gives y away' }],
        },
        {
          name: 'b',
          type: 'CONSTANT',
          role: 'DROPPED',
          treatment: null,
          reason: 'always 1',
          warnings: [],
        },
      ],
      trials: [trial('best', 0.9, false), trial('baseline', 0.5, true)],
      result: {
        metric: 'ROC_AUC',
        validationScore: 0.9,
        holdoutScore: 0.88,
        holdoutInterval: { low: 0.8, high: 0.95 },
        baselineScore: 0.5,
        bestTrialId: 'best',
        summary: 'fine',
        playbookScore: 0.85,
        lift: 0.05,
      },
    },
  );
  await recorder.saveArtifact({
    name: 'report.html',
    kind: 'REPORT',
    contentType: 'text/html',
    content: Readable.from([Buffer.from('<p>')]),
  });

  const { job } = await api.ask<{ job: Record<string, unknown> }>(
    `query ($id: ID!) { job(id: $id) {
      status stage task metric attempt startedAt etaSeconds
      columns { name type role treatment reason warnings { code message } }
      leaderboard { id name family origin score foldScores parameters isBaseline isBest }
      result { metric validationScore holdoutScore holdoutInterval { low high } baselineScore playbookScore lift bestTrial { name isBest } summary }
      events(first: 100) { __typename sequence at stage agent message
        ... on StatusChanged { from to } ... on StepStarted { input }
        ... on TrialFinished { trialId trial { name } } ... on BestImproved { previousScore }
        ... on LogWritten { level } ... on ArtifactSaved { name size artifact { id } } }
      artifacts(kinds: [REPORT]) { nodes { name kind contentType size sha256 job { id } signedUrl { url expiresAt } } }
    } }`,
    { id: claim.jobId },
  );
  expect(job).toMatchObject({
    status: 'RUNNING',
    stage: 'TRAINING',
    task: 'BINARY',
    etaSeconds: expect.any(Number),
    columns: [
      {
        name: 'a',
        type: 'NUMERIC',
        role: 'FEATURE',
        treatment: 'number',
        reason: null,
        warnings: [{ code: 'LEAK_LIKELY', message: 'it gives y away' }],
      },
      { name: 'b', type: 'CONSTANT', role: 'DROPPED', treatment: null, reason: 'always 1', warnings: [] },
    ],
    leaderboard: [
      {
        id: `trial_${claim.jobId}_best`,
        isBest: true,
        isBaseline: false,
        parameters: { depth: 3 },
        origin: 'LANGUAGE_MODEL',
      },
      { name: 'baseline', isBest: false, isBaseline: true },
    ],
    result: {
      holdoutInterval: { low: 0.8, high: 0.95 },
      playbookScore: 0.85,
      lift: 0.05,
      bestTrial: { name: 'best', isBest: true },
    },
    artifacts: { nodes: [{ name: 'report.html', size: 3, job: { id: `job_${claim.jobId}` } }] },
  });
  const events = job.events as { __typename: string; sequence: number }[];
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  expect(events.map(({ __typename }) => __typename)).toEqual([
    'StatusChanged',
    'StatusChanged',
    'StageStarted',
    'AgentStarted',
    'AgentSpoke',
    'StepStarted',
    'StepFinished',
    'TrialFinished',
    'BestImproved',
    'LogWritten',
    'FallbackUsed',
    'AgentFinished',
    'StageFinished',
    'ArtifactSaved',
  ]);
  expect(events[5]).toMatchObject({ input: { deep: [1, null] } });
  expect(events[7]).toMatchObject({ trialId: `trial_${claim.jobId}_best`, trial: { name: 'best' } });

  const one = await api.ask<{ artifact: unknown; none: unknown }>(
    `query ($id: ID!) { artifact(jobId: $id, name: "report.html") { name } none: artifact(jobId: $id, name: "no") { name } }`,
    { id: claim.jobId },
  );
  expect(one).toEqual({ artifact: { name: 'report.html' }, none: null });
});

it('knows nothing of the columns of a job that has not looked at its table', async () => {
  const query = 'query ($id: ID!) { job(id: $id) { columns { name } } }';
  expect(await api.ask(query, { id: ids[0] })).toEqual({ job: { columns: [] } });
});

it('says of an unknown job that there is none', async () => {
  const answer = api.ask('query ($id: ID!) { artifacts(jobId: $id) { nodes { id } } }', {
    id: newArtifactId(),
  });
  await expect(answer).rejects.toMatchObject({
    graphQLErrors: [{ extensions: { code: 'JOB_NOT_FOUND', hint: expect.any(String) } }],
  });
  const { job, dataset } = await api.ask<{ job: unknown; dataset: unknown }>(
    'query ($id: ID!) { job(id: $id) { id } dataset(id: $id) { id } }',
    { id: 'nonsense' },
  );
  expect({ job, dataset }).toEqual({ job: null, dataset: null });
});

it('tells what the server is', async () => {
  const { health } = await api.ask<{ health: unknown }>(
    'query { health { version uptimeSeconds mind sandbox { kind containment description } queuedJobs runningJobs maxUploadBytes } }',
  );
  expect(health).toEqual({
    version: '0.0.0-test',
    uptimeSeconds: expect.any(Number),
    mind: 'PLAYBOOK',
    sandbox: {
      kind: 'LOCAL',
      containment: 'CONTAINED',
      description: 'bubblewrap: no network, no host files',
    },
    queuedJobs: 4,
    runningJobs: 1,
    maxUploadBytes: 2 ** 31,
  });
});

it('reads the datasets of a page of jobs at once', async () => {
  const calls: number[] = [];
  const { jobs } = api.rig;
  const read = jobs.datasets.bind(jobs);
  jobs.datasets = (wanted) => {
    calls.push(wanted.length);
    return read(wanted);
  };
  await api.ask('query { jobs(first: 5) { nodes { dataset { name } } } }');
  jobs.datasets = read;
  expect(calls).toEqual([5]);
});

it('estimates what is left by the time a job has run, not by when it first started', async () => {
  const { rig } = api;
  const claimed = await claimQueued(rig.store);
  if (claimed === null) throw new Error('a job waits');
  const claim = { jobId: claimed.id, attempt: claimed.attempt };
  const recorder = rig.recorder(claim);
  recorder.progress({ stage: 'TRAINING', step: null, progress: 0.25, message: 'a quarter' });
  await recorder.close();
  const left = async () => {
    const query = 'query ($id: ID!) { job(id: $id) { etaSeconds } }';
    return (await api.ask<{ job: { etaSeconds: number } }>(query, { id: claim.jobId })).job.etaSeconds;
  };
  expect(await left()).toBe(600);
  await beat(rig.store, claim, 10_000);
  expect(await left()).toBe(30);
  await beat(rig.store, claim, 500_000);
  expect(await left()).toBe(100);
});
