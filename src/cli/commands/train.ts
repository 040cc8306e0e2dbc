import { basename } from 'node:path';
import type { Metric, Task } from '../../domain/vocabulary.ts';
import { ApiClient, type TrainingRequest } from '../api-client.ts';
import { attendAndConclude } from '../attend-job.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';

export interface TrainOptions {
  target: string;
  name?: string;
  task?: Task;
  metric?: Metric;
  quantile?: number;
  timeBudget?: number;
  maxTrials?: number;
  seed?: number;
  goal?: number;
  ignore?: readonly string[];
  keep?: readonly string[];
  holdoutFraction?: number;
  groupColumn?: string;
  timeColumn?: string;
  instructions?: string;
  maxCost?: number;
  idempotencyKey?: string;
  server: string;
  token?: string;
  wait?: boolean;
  out?: string;
  json?: boolean;
}

/** Uploads a table and starts its job; with `wait` or `out`, stays until it has ended. */
export async function train(file: string, options: TrainOptions): Promise<ExitCode> {
  const { server, out: folder = null, json = false } = options;
  const client = new ApiClient(server, options.token);
  const job = await client.startTraining(file, trainingRequest(options));
  if (options.wait || folder !== null) return attendAndConclude(client, job.id, { folder, json });

  if (json) {
    console.log(JSON.stringify({ type: 'job', job }));
  } else {
    console.log(`${job.id}  ${job.status}  ${basename(file)} -> ${job.targetColumn}`);
    console.log(`  Watch it with: sproutml watch ${job.id} --server ${server}`);
  }
  return EXIT.ok;
}

function trainingRequest(options: TrainOptions): TrainingRequest {
  const { target, name, task, metric, timeBudget, maxTrials, goal, ignore, instructions, idempotencyKey } =
    options;
  const { keep, quantile, holdoutFraction, groupColumn, timeColumn, maxCost, seed } = options;
  return {
    targetColumn: target,
    ...(name !== undefined && { name }),
    ...(task !== undefined && { task }),
    ...(metric !== undefined && { metric }),
    ...(quantile !== undefined && { quantile }),
    ...(timeBudget !== undefined && { timeBudgetSeconds: timeBudget }),
    ...(maxTrials !== undefined && { maxTrials }),
    ...(seed !== undefined && { seed }),
    ...(goal !== undefined && { goalScore: goal }),
    ...(ignore !== undefined && { ignoreColumns: ignore }),
    ...(keep !== undefined && { keepColumns: keep }),
    ...(holdoutFraction !== undefined && { holdoutFraction }),
    ...(groupColumn !== undefined && { groupColumn }),
    ...(timeColumn !== undefined && { timeColumn }),
    ...(instructions !== undefined && { instructions }),
    ...(maxCost !== undefined && { maxCostUsd: maxCost }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  };
}
