import parsePrometheus, { type Sample } from 'parse-prometheus-text-format';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SproutError } from '../../src/domain/errors.ts';
import { countByStatus, countedJobs } from '../../src/jobs/observed-run.ts';
import { observeAgentCode } from '../../src/sandbox/observed-code.ts';
import { observedToolkit } from '../../src/sandbox/observed-toolkit.ts';
import type { ProcessExit, SandboxCommand, SandboxProvider } from '../../src/sandbox/sandbox.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { type Api, openApi, table } from '../http/api.ts';
import { pause } from '../jobs/rig.ts';

/**
 * What Prometheus would make of a scrape: the samples of each name. The parser throws the label sets of one histogram
 * together, so it gets to see its parts as what they are on the wire: `…_count`, `…_sum` and `…_bucket`.
 */
async function scrape(origin: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${origin}/metrics`, { headers });
  if (!response.ok) throw new Error(String(response.status));
  const text = await response.text();
  const families = parsePrometheus(text.replace(/^# TYPE \S+ histogram\n/gm, ''));
  const samples = new Map<string, Sample[]>();
  for (const { name, metrics } of families) samples.set(name, [...(samples.get(name) ?? []), ...metrics]);
  return samples;
}
type Scrape = Awaited<ReturnType<typeof scrape>>;

/** The value of one sample. */
function sampleOf(families: Scrape, name: string, labels: Record<string, string> = {}): number | undefined {
  const found = families
    .get(name)
    ?.find((sample) => Object.entries(labels).every(([label, value]) => sample.labels?.[label] === value));
  return found === undefined ? undefined : Number(found.value);
}

describe('/metrics', () => {
  let api: Api;
  let metrics: Metrics;
  const open = (env: Record<string, string> = {}) =>
    openApi({
      env,
      dependencies: (rig) => {
        metrics = new Metrics();
        metrics.gauges('sproutml_jobs', 'Jobs in each state.', 'state', () => countByStatus(rig.store));
        metrics.gauge('sproutml_subscriptions', 'Followers.', () => rig.jobs.followers);
        return { metrics };
      },
    });
  beforeEach(async () => {
    api = await open();
  });
  afterEach(() => api.close());

  it('is read by a Prometheus parser, and counts requests by route and operations by field', async () => {
    const { job } = await api.start(table(), { targetColumn: 'y' });
    await api.ask('query Anything_at_all { health { version } }');
    await api.ask('query { first: job(id: "x") { id } health { version } }');
    await api.ask('query { jobs { nodes { nope } } }').catch(() => undefined);
    await fetch(`${api.origin}/some/path/of/theirs`);
    expect(job).toBeDefined();

    const families = await scrape(api.origin);
    const http = (labels: Record<string, string>) =>
      sampleOf(families, 'http_request_duration_seconds_count', labels);
    expect(http({ method: 'POST', route: '/graphql', status: '200' })).toBeGreaterThanOrEqual(3);
    expect(http({ method: 'GET', route: 'other', status: '404' })).toBe(1);
    const operations = (labels: Record<string, string>) =>
      sampleOf(families, 'graphql_operation_duration_seconds_count', labels);
    expect(operations({ type: 'mutation', name: 'startTraining', outcome: 'ok' })).toBe(1);
    expect(operations({ type: 'query', name: 'health' })).toBe(1);
    expect(operations({ type: 'query', name: 'several' })).toBe(1);
    expect(JSON.stringify([...families])).not.toMatch(/Anything_at_all|theirs/);
    expect(sampleOf(families, 'sproutml_jobs', { state: 'queued' })).toBe(1);
    expect(sampleOf(families, 'sproutml_jobs', { state: 'failed' })).toBe(0);
  });

  it('follows WebSockets and subscriptions as they come and go', async () => {
    const { job } = await api.start(table(), { targetColumn: 'y' });
    const socket = api.webSocket();
    const updates = socket.iterate({
      query: 'subscription ($id: ID!) { jobUpdated(id: $id, after: 0) { sequence } }',
      variables: { id: job?.id },
    });
    await updates.next();
    await updates.next();
    const during = await scrape(api.origin);
    expect(sampleOf(during, 'sproutml_ws_connections')).toBe(1);
    expect(sampleOf(during, 'sproutml_subscriptions')).toBe(1);
    await updates.return?.();
    await socket.dispose();
    await expect
      .poll(async () => {
        const after = await scrape(api.origin);
        return [sampleOf(after, 'sproutml_ws_connections'), sampleOf(after, 'sproutml_subscriptions')];
      })
      .toEqual([0, 0]);
  });

  it('times the waiting and the running of jobs by how they end, and what they cost', async () => {
    const { rig } = api;
    await api.start(table(), { targetColumn: 'y' });
    const failing = await api.start(table(), { targetColumn: 'y' });
    const runner = rig.runner(
      async ({ job, recorder }) => {
        await recorder.record([], { usage: { inputTokens: 30, outputTokens: 4, estimatedCostUsd: 0.5 } });
        if (failing.job?.id.endsWith(job.id)) throw new SproutError('NOPE', 'no');
      },
      {},
      1,
      countedJobs(metrics),
    );
    await runner.start();
    await expect
      .poll(async () => {
        const families = await scrape(api.origin);
        return ['succeeded', 'failed'].map((outcome) =>
          sampleOf(families, 'sproutml_job_duration_seconds_count', { outcome }),
        );
      })
      .toEqual([1, 1]);
    await runner.stop();
    const families = await scrape(api.origin);
    expect(sampleOf(families, 'sproutml_queue_wait_seconds_count')).toBe(2);
    expect(sampleOf(families, 'sproutml_llm_tokens_total', { direction: 'input' })).toBe(60);
    expect(sampleOf(families, 'sproutml_llm_tokens_total', { direction: 'output' })).toBe(8);
    expect(sampleOf(families, 'sproutml_llm_cost_usd_total')).toBe(1);
  });

  it('counts commands that were stopped at a limit, and no other failures', async () => {
    const codes = ['STEP_DEADLINE', 'SANDBOX_OUT_OF_MEMORY', 'TOOLKIT_CRASHED', 'SANDBOX_OUT_OF_MEMORY'];
    const toolkit = observedToolkit(
      {
        call: async () => {
          throw new SproutError(codes.shift() ?? '', 'stopped');
        },
        ready: () => pause(0),
        close: () => pause(0),
      },
      metrics,
    );
    for (let i = 0; i < 4; i++)
      await expect(toolkit.call('profile', {}, { timeoutMs: 1 })).rejects.toThrow('stopped');
    const families = await scrape(api.origin);
    const kills = (reason: string) => sampleOf(families, 'sproutml_sandbox_kills_total', { reason });
    expect(['deadline', 'memory', 'disk', 'output'].map(kills)).toEqual([1, 2, 0, 0]);
  });

  it('counts agent-written code that was stopped at a limit', async () => {
    const reasons: ProcessExit['reason'][] = ['memory', 'exited', 'deadline'];
    const start = async () => ({
      send: () => undefined,
      end: () => undefined,
      kill: () => undefined,
      exit: Promise.resolve({ reason: reasons.shift() ?? 'exited', code: 0, signal: null }),
    });
    const provider = { open: async () => ({ start }) } as unknown as SandboxProvider;
    const sandbox = await observeAgentCode(provider, metrics).open('job');
    for (let i = 0; i < 3; i++) {
      await sandbox.start({ argv: ['python'], untrusted: true } as unknown as SandboxCommand);
    }
    await pause(10);
    const families = await scrape(api.origin);
    const kills = (reason: string) => sampleOf(families, 'sproutml_sandbox_kills_total', { reason });
    expect(['deadline', 'memory', 'disk', 'output'].map(kills)).toEqual([1, 1, 0, 0]);
  });

  it('is for this machine alone, and not for whoever comes through a proxy on it', async () => {
    for (const header of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
      const response = await fetch(`${api.origin}/metrics`, { headers: { [header]: '203.0.113.9' } });
      expect([header, response.status]).toEqual([header, 403]);
      expect(await response.text()).toContain('METRICS_TOKEN');
    }
  });

  it('asks for its token where there is one', async () => {
    const token = 'a token for tests alone';
    const guarded = await open({ METRICS_TOKEN: token });
    for (const authorization of ['', 'Bearer wrong', `Basic ${token}`, `Bearer ${token}x`]) {
      const { status } = await fetch(`${guarded.origin}/metrics`, { headers: { authorization } });
      expect([authorization, status]).toEqual([authorization, 401]);
    }
    const headers = { authorization: `Bearer ${token}`, 'x-forwarded-for': '203.0.113.9' };
    expect((await scrape(guarded.origin, headers)).has('sproutml_jobs')).toBe(true);
    await guarded.close();
  });
});
