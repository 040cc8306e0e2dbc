import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/db/client.ts';
import { leftovers } from '../../src/db/schema.ts';

const CLIENT = join(import.meta.dirname, '../../src/db/client.ts');
const HOLD = `import { openDatabase } from ${JSON.stringify(CLIENT)};
openDatabase(process.argv[1]); console.log('open'); setInterval(() => {}, 1000);`;

describe('the database of a data folder', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'sproutml-db-'));
  });
  afterEach(async () => {
    await rm(dataDir, { recursive: true, force: true });
  });

  const note = (key: string) => ({ kind: 'blob' as const, key, since: new Date(0) });

  it('belongs to one process: another is refused and told whose it is, until that one is killed', async () => {
    const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLD, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    expect(() => openDatabase(dataDir)).toThrow(
      expect.objectContaining({
        code: 'DATA_DIR_LOCKED',
        message: expect.stringContaining(`process ${holder.pid}`),
        hint: expect.stringContaining('DATA_DIR'),
      }),
    );
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await openDatabase(dataDir).close();
  });

  it('is refused to a second opening in the same process, and free again once closed', async () => {
    const first = openDatabase(dataDir);
    expect(() => openDatabase(dataDir)).toThrow(expect.objectContaining({ code: 'DATA_DIR_LOCKED' }));
    await first.close();
    await openDatabase(dataDir).close();
  });

  it('keeps what was written when it is opened again', async () => {
    const first = openDatabase(dataDir);
    await first.write(async (tx) => tx.insert(leftovers).values(note('a')));
    await first.close();
    const second = openDatabase(dataDir);
    expect(await second.read.select().from(leftovers)).toEqual([note('a')]);
    await second.close();
  });

  it('runs writes one after another, each whole or not at all', async () => {
    const database = openDatabase(dataDir);
    const results = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map((key, index) =>
        database.write(async (tx) => {
          await tx.insert(leftovers).values(note(key));
          await tx.insert(leftovers).values(note(`${key}${key}`));
          if (index % 2 === 1) throw new Error('no');
        }),
      ),
    );
    expect(results.map((result) => result.status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
    ]);
    const rows = await database.read.select().from(leftovers);
    expect(rows.map((row) => row.key).sort()).toEqual(['a', 'aa', 'c', 'cc']);
    await database.close();
  });

  it('finishes the writes under way when it is closed, and refuses new ones', async () => {
    const database = openDatabase(dataDir);
    const write = database.write(async (tx) => tx.insert(leftovers).values(note('a')));
    const closing = database.close();
    await expect(database.write(async () => undefined)).rejects.toThrow('closed');
    await Promise.all([write, closing]);
    const again = openDatabase(dataDir);
    expect(await again.read.select().from(leftovers)).toHaveLength(1);
    await again.close();
  });
});
