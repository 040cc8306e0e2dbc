import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/db/client.ts';
import { eventLogConformance } from '../conformance/event-log.ts';

eventLogConformance('SQLite', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sproutml-log-'));
  const database = openDatabase(dataDir);
  return {
    database,
    async remove() {
      await database.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
});
