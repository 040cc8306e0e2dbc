import { resolve } from 'node:path';
import type { ApiClient } from './api-client.ts';
import { downloadArtifact } from './download.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { type Line, printLines, span } from './lines.ts';
import { byteCount, duration, pathFromHere, scoreText } from './terminal-text.ts';
import type { ArtifactLink, JobOutcome } from './wire.ts';

export interface Downloaded {
  folder: string;
  files: readonly { path: string; artifact: ArtifactLink }[];
}

/** Brings every artifact of the job into `folder`, one after the other, each checked against its sha256. */
export async function downloadAll(client: ApiClient, jobId: string, folder: string): Promise<Downloaded> {
  const files: { path: string; artifact: ArtifactLink }[] = [];
  for (const artifact of await client.artifacts(jobId)) {
    files.push({ path: await downloadArtifact(artifact, folder), artifact });
  }
  return { folder, files };
}

/** Says how a job ended, for people or as the last JSON line, and returns the exit code that goes with it. */
export function concludeJob(
  job: JobOutcome,
  downloaded: Downloaded | null,
  options: { json: boolean; out: NodeJS.WriteStream },
): ExitCode {
  const exitCode = { SUCCEEDED: EXIT.ok, CANCELLED: EXIT.cancelled }[job.status as string] ?? EXIT.failed;
  if (options.json) {
    const { result, failure, leaderboard, ...rest } = job;
    const files = downloaded?.files.map(({ path, artifact: { name, kind, size, sha256 } }) => {
      return { path, name, kind, size, sha256 };
    });
    options.out.write(
      `${JSON.stringify({ type: 'result', job: rest, result, failure, leaderboard, files: files ?? null, exitCode })}\n`,
    );
  } else {
    printLines([[], ...summaryLines(job, downloaded)], options.out);
  }
  return exitCode;
}

/** What a person wants to know at the end: how good, how sure, against what, and where the files are. */
export function summaryLines(job: JobOutcome, downloaded: Downloaded | null): Line[] {
  const { result, failure } = job;
  const lines: Line[] = [headline(job)];
  if (failure) {
    lines.push(fact(failure.code, failure.message, 'red'));
    if (failure.hint) lines.push(fact('Try', failure.hint));
  }
  if (result) {
    const { metric, holdoutScore, holdoutInterval, validationScore, baselineScore, bestTrial } = result;
    const { playbookScore, lift } = result;
    lines.push(fact('Model', `${bestTrial.name} (${bestTrial.family})`));
    if (holdoutScore !== null) {
      const interval = holdoutInterval
        ? `, 95% interval ${scoreText(holdoutInterval.low)} to ${scoreText(holdoutInterval.high)}`
        : '';
      lines.push(fact('Holdout', `${metric} ${scoreText(holdoutScore)}${interval}`, 'bold'));
    }
    lines.push(fact('Validation', `${metric} ${scoreText(validationScore)}`));
    lines.push(fact('Baseline', `${metric} ${scoreText(baselineScore)}`));
    if (playbookScore !== null) {
      const better = lift
        ? `${scoreText(lift)} better with the language model`
        : 'no better with the language model';
      lines.push(fact('Playbook', `${metric} ${scoreText(playbookScore)} alone, ${better}`));
    }
  }
  if (job.usage.modelCalls > 0) lines.push(fact('Model calls', usageText(job.usage)));
  if (downloaded) {
    const bytes = downloaded.files.reduce((sum, { artifact }) => sum + artifact.size, 0);
    lines.push(
      fact(
        'Files',
        `${pathFromHere(resolve(downloaded.folder))} (${downloaded.files.length} files, ${byteCount(bytes)}, sha256 checked)`,
      ),
    );
    const report = downloaded.files.find(({ artifact }) => artifact.kind === 'REPORT');
    if (report) lines.push(fact('Report', pathFromHere(resolve(report.path))));
  }
  return lines;
}

/** What a language model in the agents' seats has cost. */
const usageText = (usage: JobOutcome['usage']): string => {
  const tokens = (usage.inputTokens + usage.outputTokens).toLocaleString('en');
  return `${usage.modelCalls}, ${tokens} tokens, about $${usage.estimatedCostUsd.toFixed(4)}`;
};

function headline(job: JobOutcome): Line {
  const tone =
    { SUCCEEDED: 'green', CANCELLED: 'yellow' }[job.status as string] === 'green' ? 'green' : 'yellow';
  const seconds =
    job.startedAt && job.finishedAt ? (job.finishedAt.getTime() - job.startedAt.getTime()) / 1000 : null;
  return [
    span(job.status, tone),
    span(seconds === null ? '' : ` in ${duration(seconds)}`),
    span(`  ${job.id}`, 'dim'),
  ];
}

const fact = (name: string, text: string, style: 'bold' | 'red' | null = null): Line => [
  span(`  ${name.padEnd(11)} `, 'dim'),
  span(text, style),
];
