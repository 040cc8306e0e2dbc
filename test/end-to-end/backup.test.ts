import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startServerProcess, temporaryFolder } from '../server-process.ts';
import { ApiUser, type JobUpdate } from './client.ts';
import { binaryTable } from './tables.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const sproutml = (args: string[], dataDir: string) =>
  promisify(execFile)(process.execPath, [MAIN, ...args], { env: { ...process.env, DATA_DIR: dataDir } });

const eventsOf = (updates: readonly JobUpdate[]) => updates.flatMap(({ event }) => event ?? []);

describe('backup and restore of a server that is at work', () => {
  it('keeps what had ended, and lets what was running be started again', {
    timeout: 300_000,
  }, async () => {
    const folder = await temporaryFolder('backup-live');
    const dataDir = join(folder.path, 'data');
    let server = await startServerProcess({ dataDir });
    try {
      let user = new ApiUser(server.url);
      const input = { targetColumn: 'label', timeBudgetSeconds: 30, maxTrials: 2 };
      const ended = await user.startJob(binaryTable(200), input);
      const before = await user.untilEnded(ended);
      expect(before.at(-1)?.job.status).toBe('SUCCEEDED');
      const running = await user.startJob(binaryTable(400), input);
      for await (const { event } of user.watch(running)) if (event?.__typename === 'TrialFinished') break;

      const backup = join(folder.path, 'backup');
      const { stdout } = await sproutml(['backup', backup], dataDir);
      expect(stdout).toContain('all checked');
      await server.kill();

      const restored = join(folder.path, 'restored');
      expect((await sproutml(['restore', backup], restored)).stdout).toContain('1 of its jobs');
      server = await startServerProcess({ dataDir: restored });
      user = new ApiUser(server.url);
      const after = await user.untilEnded(ended);
      expect(eventsOf(after)).toEqual(eventsOf(before));
      expect(after.at(-1)?.job).toEqual(before.at(-1)?.job);
      const artifacts = await user.artifacts(ended);
      expect(artifacts.map(({ name }) => name)).toContain('model.pkl');
      for (const { signedUrl, sha256, name } of artifacts) {
        const to = join(folder.path, name);
        await user.download(signedUrl.url, to);
        expect(
          createHash('sha256')
            .update(await readFile(to))
            .digest('hex'),
        ).toBe(sha256);
      }

      expect((await user.job(running)).failure?.code).toBe('RESTORED_FROM_BACKUP');
      const { retryJob } = await user.mutate<{ retryJob: { job: { id: string } } }>(
        'mutation ($input: RetryJobInput!) { retryJob(input: $input) { ... on RetryJobSuccess { job { id } } } }',
        { jobId: running },
      );
      const again = await user.untilEnded(retryJob.job.id);
      expect(again.at(-1)?.job.status).toBe('SUCCEEDED');
    } finally {
      await server.kill();
      await folder.remove();
    }
  });
});
