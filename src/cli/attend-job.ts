import { messageOf } from '../domain/errors.ts';
import type { ApiClient } from './api-client.ts';
import { concludeJob, downloadAll } from './conclude-job.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { type JobDisplay, openJobDisplay } from './job-display.ts';
import type { JobOutcome } from './wire.ts';

/**
 * Shows a job from its first event to its end and returns what came of it. Ctrl-C asks the server to end the job, which
 * keeps the best model so far; a second Ctrl-C leaves at once, and null is returned.
 */
export async function attendJob(
  client: ApiClient,
  jobId: string,
  display: JobDisplay,
): Promise<JobOutcome | null> {
  const leaving = new AbortController();
  let asked = false;
  const onInterrupt = () => {
    if (asked) return leaving.abort();
    asked = true;
    display.note('Ending the job, keeping its best model … Ctrl-C again leaves at once');
    client.cancelJob(jobId).catch((error: unknown) => {
      display.note(`The job could not be cancelled: ${messageOf(error)}. Ctrl-C leaves`);
    });
  };
  process.on('SIGINT', onInterrupt);
  try {
    let lost = false;
    const updates = client.follow(jobId, {
      after: 0,
      signal: leaving.signal,
      onReconnecting(reason) {
        if (!lost) display.note(`Connection lost (${reason}), trying again …`);
        lost = true;
      },
    });
    for await (const update of updates) {
      if (lost) display.note(null);
      lost = false;
      display.show(update);
    }
    return leaving.signal.aborted ? null : await client.job(jobId);
  } finally {
    process.off('SIGINT', onInterrupt);
    display.close();
  }
}

/** Attends a job, brings its files into `folder` unless that is null, says how it ended, and returns the exit code. */
export async function attendAndConclude(
  client: ApiClient,
  jobId: string,
  options: { folder: string | null; json: boolean },
): Promise<ExitCode> {
  const { folder, json } = options;
  const out = process.stdout;
  const outcome = await attendJob(client, jobId, openJobDisplay({ json, out }));
  if (outcome === null) {
    if (!json) console.error(`Left job ${jobId} before it ended.`);
    return EXIT.cancelled;
  }
  const downloaded = folder === null ? null : await downloadAll(client, jobId, folder);
  return concludeJob(outcome, downloaded, { json, out });
}
