import { ApiClient } from '../api-client.ts';
import { attendAndConclude } from '../attend-job.ts';
import type { ExitCode } from '../exit-codes.ts';

/** Follows a job that somebody started before, from its first event to its end. */
export async function watch(
  jobId: string,
  options: { server: string; token?: string; out?: string; json?: boolean },
): Promise<ExitCode> {
  const client = new ApiClient(options.server, options.token);
  // A wrong id or address should say so at once; a subscription would keep trying.
  const job = await client.job(jobId);
  return attendAndConclude(client, job.id, { folder: options.out ?? null, json: options.json ?? false });
}
