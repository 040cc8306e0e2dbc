import { count, eq } from 'drizzle-orm';
import { jobs } from '../db/schema.ts';
import type { Job } from '../domain/records.ts';
import { JOB_STATUSES } from '../domain/vocabulary.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { inSpan } from '../telemetry/spans.ts';
import type { RunJob } from './run.ts';
import type { RunnerObserver } from './runner.ts';
import type { JobStore } from './store.ts';

/** Each run in a span, in the trace of the request that asked for the job. */
export function tracedRun(store: JobStore, runJob: RunJob): RunJob {
  return async (context) => {
    const { id, attempt, mind, sandbox } = context.job;
    const [row] = await store.read
      .select({ traceParent: jobs.traceParent })
      .from(jobs)
      .where(eq(jobs.id, id));
    const attributes = {
      'sproutml.job.id': id,
      'sproutml.job.attempt': attempt,
      'sproutml.job.mind': mind,
      'sproutml.job.sandbox': sandbox,
    };
    await inSpan({ name: 'run_job', attributes, parent: row?.traceParent ?? null }, () => runJob(context));
  };
}

/** Counts jobs, their waiting, their time and what they cost. */
export function countedJobs(metrics: Metrics): RunnerObserver {
  return {
    begun({ createdAt, startedAt }: Job) {
      if (startedAt) metrics.queueWait.observe((startedAt.getTime() - createdAt.getTime()) / 1000);
    },
    ended({ status, activeMs, usage }: Job) {
      metrics.jobDuration.observe({ outcome: status.toLowerCase() }, activeMs / 1000);
      metrics.llmTokens.inc({ direction: 'input' }, usage.inputTokens);
      metrics.llmTokens.inc({ direction: 'output' }, usage.outputTokens);
      metrics.llmCost.inc(usage.estimatedCostUsd);
    },
  };
}

/** How many jobs there are in each state, none left out. */
export async function countByStatus(store: JobStore): Promise<Record<string, number>> {
  const rows = await store.read
    .select({ status: jobs.status, count: count() })
    .from(jobs)
    .groupBy(jobs.status);
  return {
    ...Object.fromEntries(JOB_STATUSES.map((status) => [status.toLowerCase(), 0])),
    ...Object.fromEntries(rows.map((row) => [row.status.toLowerCase(), row.count])),
  };
}
