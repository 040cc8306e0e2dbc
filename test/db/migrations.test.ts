import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDatabase } from '../../src/db/client.ts';
import { datasets, jobs } from '../../src/db/schema.ts';

const MIGRATIONS = join(import.meta.dirname, '../../src/db/migrations');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sproutml-migrations-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A database as the release with only the first `count` migrations left it. */
async function databaseOf(count: number): Promise<Sqlite.Database> {
  const earlier = join(folder, 'migrations');
  await cp(MIGRATIONS, earlier, { recursive: true });
  const path = join(earlier, 'meta/_journal.json');
  const journal = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...journal, entries: journal.entries.slice(0, count) }));
  const file = new Sqlite(join(folder, 'sproutml.db'));
  migrate(drizzle(file), { migrationsFolder: earlier });
  return file;
}

it('gives what was there before there were owners to the local one, and keeps its idempotency keys', async () => {
  const old = await databaseOf(1);
  old.exec(`INSERT INTO datasets (id, name, columns, size, sha256, dialect, blob_key, created_at)
    VALUES ('d', 'd.csv', '[]', 1, 'x', '{}', 'datasets/d', 1)`);
  old.exec(`INSERT INTO jobs (id, dataset_id, name, options, status, progress, mind, sandbox, attempt, barren_attempts,
    last_sequence, active_ms, usage, idempotency_key, created_at)
    VALUES ('j', 'd', 'j', '{}', 'SUCCEEDED', 1, 'PLAYBOOK', 'LOCAL', 1, 0, 1, 1, '{}', 'nightly', 1)`);
  old.close();

  const database = openDatabase(folder);
  expect(await database.read.select({ owner: datasets.owner }).from(datasets)).toEqual([{ owner: 'local' }]);
  const kept = await database.read.select({ owner: jobs.owner, key: jobs.idempotencyKey }).from(jobs);
  expect(kept).toEqual([{ owner: 'local', key: 'nightly' }]);
  await database.close();
});
