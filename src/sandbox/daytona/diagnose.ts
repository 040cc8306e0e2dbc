import { z } from 'zod';
import { messageOf } from '../../domain/errors.ts';
import type { Check } from '../diagnose.ts';
import { readLock, type Size, snapshotName } from './environment.ts';

export interface DaytonaDiagnoseOptions {
  apiKey: string;
  apiUrl: string;
  size: Size;
  maxParallel: number;
}

/** What a key must be allowed for jobs to run, and to leave nothing behind. */
const NEEDED = ['write:sandboxes', 'delete:sandboxes', 'write:snapshots', 'write:volumes', 'delete:volumes'];
const ASK_MS = 15_000;

const key = z.object({
  permissions: z.array(z.string()),
  expiresAt: z.string().nullish(),
  organizationId: z.string().optional(),
});
const usage = z.object({
  regionUsage: z.array(
    z.object({
      regionId: z.string(),
      totalCpuQuota: z.number(),
      currentCpuUsage: z.number(),
      totalMemoryQuota: z.number(),
      currentMemoryUsage: z.number(),
      totalDiskQuota: z.number(),
      currentDiskUsage: z.number(),
    }),
  ),
});
const snapshot = z.object({ state: z.string(), errorReason: z.string().nullish() });

/** Looks at all that jobs in Daytona stand on, changing nothing. Never rejects: what goes wrong is a check that failed. */
export async function diagnoseDaytona(options: DaytonaDiagnoseOptions): Promise<Check[]> {
  const found = await ask(options, '/api-keys/current', key);
  if (!found.ok) return [keyTrouble(found, options.apiUrl)];
  const { organizationId } = found.value;
  return [
    keyCheck(found.value),
    ...(organizationId === undefined ? [] : [await quotaCheck(options, organizationId)]),
    await snapshotCheck(options),
  ];
}

function keyTrouble({ status, said }: { status: number; said: string }, apiUrl: string): Check {
  const detail = `${new URL(apiUrl).host}: ${status > 0 ? `${status}, ` : ''}${said}`;
  const hint =
    status === 401 || status === 403
      ? 'Make a key at https://app.daytona.io/dashboard/keys and set DAYTONA_API_KEY; SANDBOX=local does without.'
      : 'Is DAYTONA_API_URL right, and does this machine reach it?';
  return { name: 'daytona key', ok: 'failure', detail, hint };
}

function keyCheck({ permissions, expiresAt }: z.output<typeof key>): Check {
  const name = 'daytona key';
  const missing = NEEDED.filter((permission) => !permissions.includes(permission));
  if (missing.length > 0) {
    // A volume can be done without.
    const ok = missing.every((permission) => permission.endsWith(':volumes')) ? 'warning' : 'failure';
    return { name, ok, detail: `it may not ${missing.join(', ')}`, hint: 'Make a key that may.' };
  }
  const until = expiresAt ? `, until ${expiresAt.slice(0, 10)}` : '';
  return { name, ok: 'ok', detail: `accepted${until}`, hint: '' };
}

async function quotaCheck(options: DaytonaDiagnoseOptions, organization: string): Promise<Check> {
  const name = 'daytona quota';
  const found = await ask(options, `/organizations/${encodeURIComponent(organization)}/usage`, usage);
  const region = found.ok ? found.value.regionUsage[0] : undefined;
  if (!found.ok || region === undefined) {
    // Keys need a permission of its own to read it.
    const detail = found.ok ? 'no region' : `it can't be read: ${found.said}`;
    return { name, ok: 'warning', detail, hint: 'Look at https://app.daytona.io/dashboard/limits.' };
  }
  const { cpu, memoryGib, diskGib } = options.size;
  const free = {
    cpu: region.totalCpuQuota - region.currentCpuUsage,
    memory: region.totalMemoryQuota - region.currentMemoryUsage,
    disk: region.totalDiskQuota - region.currentDiskUsage,
  };
  const room = Math.floor(Math.min(free.cpu / cpu, free.memory / memoryGib, free.disk / diskGib));
  const detail =
    `${free.cpu} CPU, ${free.memory} GiB memory, ${free.disk} GiB disk free in ${region.regionId}: ` +
    `room for ${room} ${room === 1 ? 'sandbox' : 'sandboxes'} of ${cpu}, ${memoryGib} and ${diskGib}`;
  if (room >= options.maxParallel) return { name, ok: 'ok', detail, hint: '' };
  const hint =
    'Lower DAYTONA_MAX_PARALLEL, DAYTONA_CPU, DAYTONA_MEMORY_GIB or DAYTONA_DISK_GIB, or raise the tier.';
  return { name, ok: room > 0 ? 'warning' : 'failure', detail, hint };
}

async function snapshotCheck(options: DaytonaDiagnoseOptions): Promise<Check> {
  const name = 'daytona snapshot';
  const wanted = snapshotName(await readLock(), options.size);
  const found = await ask(options, `/snapshots/${wanted}`, snapshot);
  if (!found.ok) {
    if (found.status !== 404) return { name, ok: 'warning', detail: found.said, hint: '' };
    return {
      name,
      ok: 'ok',
      detail: `${wanted} will be built by the first job, which takes some minutes`,
      hint: '',
    };
  }
  const { state, errorReason } = found.value;
  if (state === 'error' || state === 'build_failed') {
    const detail = `${wanted}: ${errorReason ?? state}`;
    return { name, ok: 'warning', detail, hint: 'The next job builds it anew.' };
  }
  return { name, ok: 'ok', detail: `${wanted} is ${state}`, hint: '' };
}

type Asked<T> = { ok: true; value: T } | { ok: false; status: number; said: string };

/** One GET. Plain HTTP: a look is not worth loading the SDK for. */
async function ask<T>(
  { apiUrl, apiKey }: DaytonaDiagnoseOptions,
  path: string,
  shape: z.ZodType<T>,
): Promise<Asked<T>> {
  try {
    const response = await fetch(`${apiUrl.replace(/\/$/, '')}${path}`, {
      headers: { authorization: `Bearer ${apiKey}`, accept: 'application/json' },
      signal: AbortSignal.timeout(ASK_MS),
    });
    const text = await response.text();
    if (!response.ok) return { ok: false, status: response.status, said: saidIn(text) };
    return { ok: true, value: shape.parse(JSON.parse(text)) };
  } catch (error) {
    return { ok: false, status: 0, said: messageOf(error) };
  }
}

function saidIn(text: string): string {
  const found = /"message"\s*:\s*"([^"]{1,200})"/.exec(text);
  return found?.[1] ?? 'no reason given';
}
