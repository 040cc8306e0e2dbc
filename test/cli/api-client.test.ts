import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/cli/api-client.ts';
import { downloadAll } from '../../src/cli/conclude-job.ts';
import { formWithFile } from '../../src/cli/multipart.ts';
import type { JobUpdate } from '../../src/cli/wire.ts';
import { JOB_ID, RECORDED } from './recorded-job.ts';
import { jobOnTheWire, type Script, type StandIn, startStandIn } from './stand-in-server.ts';

const LAST = RECORDED.at(-1) as JobUpdate;
const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

let folder: string;
let server: StandIn;
const serving = async (script: Script) => {
  server = await startStandIn(script);
  return new ApiClient(server.url);
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sproutml-cli-'));
});
afterEach(async () => {
  await server?.close();
  await rm(folder, { recursive: true });
});

describe('starting a job', () => {
  it('uploads the file byte for byte under its own name, with only the options that were given', async () => {
    const content = randomBytes(3_000_000);
    const file = join(folder, 'measured, twice.csv');
    await writeFile(file, content);
    let input: Record<string, unknown> = {};
    const client = await serving({
      startTraining: (received) => {
        input = received;
        return { __typename: 'StartTrainingSuccess', job: jobOnTheWire(LAST.job) };
      },
    });

    const job = await client.startTraining(file, { targetColumn: 'y', ignoreColumns: ['a,b', 'c'] });

    expect(job.id).toBe(JOB_ID);
    expect(server.uploads).toEqual([
      { filename: 'measured, twice.csv', size: content.length, sha256: sha256(content) },
    ]);
    expect({ ...input, file: null }).toEqual({ file: null, targetColumn: 'y', ignoreColumns: ['a,b', 'c'] });
  });

  it('reads the file no faster than the server takes it', async () => {
    const file = join(folder, 'large.csv');
    await writeFile(file, '');
    await truncate(file, 300_000_000);
    const before = process.memoryUsage().arrayBuffers;
    const { body } = await formWithFile(
      {},
      { field: 'file', path: file, name: 'large.csv', type: 'text/csv' },
    );
    const reader = body.getReader();
    for (let taken = 0; taken < 3; taken += 1) await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
    await reader.cancel();
  });

  it("passes on the server's own words when it refuses the table", async () => {
    const file = join(folder, 'a.csv');
    await writeFile(file, 'price\n1\n');
    const client = await serving({
      startTraining: () => ({
        __typename: 'TargetNotFoundError',
        code: 'TARGET_NOT_FOUND',
        message: 'There is no column "prce".',
        hint: 'Did you mean "price"?',
      }),
    });
    await expect(client.startTraining(file, { targetColumn: 'prce' })).rejects.toMatchObject({
      name: 'InputError',
      code: 'TARGET_NOT_FOUND',
      hint: 'Did you mean "price"?',
    });
  });

  it('says which file it cannot read before it talks to any server', async () => {
    const client = new ApiClient('http://127.0.0.1:9');
    await expect(client.startTraining(join(folder, 'none.csv'), { targetColumn: 'y' })).rejects.toMatchObject(
      {
        code: 'FILE_UNREADABLE',
      },
    );
  });

  it('says where nobody answered, and why', async () => {
    await expect(new ApiClient('http://127.0.0.1:9').job(JOB_ID)).rejects.toMatchObject({
      code: 'SERVER_UNREACHABLE',
      message: expect.stringMatching(/127\.0\.0\.1:9\/graphql: .*(refused|ECONNREFUSED|bad port)/i),
    });
  });
});

describe('following a job', () => {
  /** As a server does it: the job as it is, then what came after the cursor. */
  const replay = async function* (after: number, upTo = RECORDED.length) {
    yield { sequence: after, job: RECORDED[after]?.job ?? LAST.job, event: null };
    yield* RECORDED.slice(after + 1, upTo);
  };

  it('tells every event of every kind exactly as the server did, and ends with the job', async () => {
    const client = await serving({ updates: replay });
    expect(await collect(client.follow(JOB_ID, { after: 0 }))).toEqual(RECORDED);
  });

  it('misses nothing and doubles nothing when the line breaks again and again', async () => {
    const client = await serving({
      async *updates(after) {
        let told = 0;
        for await (const update of replay(after)) {
          yield update;
          told += 1;
          if (told === 7) setTimeout(() => server.cutConnections());
          if (told >= 7) await new Promise((resolve) => setTimeout(resolve, 20));
        }
      },
    });
    const reconnections: string[] = [];
    const updates = await collect(
      client.follow(JOB_ID, { after: 0, onReconnecting: (reason) => reconnections.push(reason) }),
    );

    expect(updates.map(({ event }) => event?.sequence ?? 0)).toEqual(RECORDED.map((_, index) => index));
    expect(reconnections.length).toBeGreaterThan(2);
    expect(server.cursors).toEqual(server.cursors.toSorted((a, b) => Number(a) - Number(b)));
    expect(server.cursors.at(-1)).toBeGreaterThan(0);
  });

  it('asks again when the server hangs up politely before the job has ended, and drops what it tells twice', async () => {
    let subscriptions = 0;
    const client = await serving({
      updates() {
        subscriptions += 1;
        return replay(0, subscriptions === 1 ? 5 : undefined);
      },
    });
    expect(await collect(client.follow(JOB_ID, { after: 0 }))).toEqual(RECORDED);
    expect(subscriptions).toBe(2);
  });

  it('gives up with a way back when the server stays away', async () => {
    const client = await serving({ updates: replay });
    await server.close();
    await expect(collect(client.follow(JOB_ID, { after: 0, patienceMs: 300 }))).rejects.toMatchObject({
      code: 'SERVER_UNREACHABLE',
      hint: expect.stringContaining(`sproutml watch ${JOB_ID}`),
    });
  });

  it('leaves at once when told to, though nothing arrives', async () => {
    const leaving = new AbortController();
    const client = await serving({
      async *updates() {
        yield RECORDED[0] as JobUpdate;
        await new Promise(() => undefined);
      },
    });
    const seen: JobUpdate[] = [];
    for await (const update of client.follow(JOB_ID, { after: 0, signal: leaving.signal })) {
      seen.push(update);
      setTimeout(() => leaving.abort(), 10);
    }
    expect(seen).toHaveLength(1);
  });

  it('keeps an event of a type it has never heard of as a line of the log', async () => {
    const { jobEventSchema } = await import('../../src/cli/wire.ts');
    const wire = {
      type: 'MoonPhaseChanged',
      sequence: 3,
      at: new Date().toISOString(),
      stage: null,
      agent: null,
    };
    expect(jobEventSchema.parse({ ...wire, message: 'full' })).toMatchObject({
      type: 'LogWritten',
      message: 'full',
    });
    expect(jobEventSchema.safeParse({ ...wire, type: 'TrialFinished', message: 'no score' }).success).toBe(
      false,
    );
  });
});

describe('downloading', () => {
  const file = (name: string, content: string) => ({
    name,
    kind: 'PLOT' as const,
    contentType: 'text/plain',
    size: content.length,
    sha256: sha256(content),
    content,
  });

  it('brings every page of files, in their folders, whole', async () => {
    const client = await serving({
      artifacts: [file('a.txt', 'A'), file('plots/b.svg', 'BB'), file('c.txt', 'CCC')],
    });
    const { files } = await downloadAll(client, JOB_ID, folder);
    expect(files.map(({ path }) => path)).toEqual(
      ['a.txt', 'plots/b.svg', 'c.txt'].map((name) => join(folder, name)),
    );
    expect(await readFile(join(folder, 'plots/b.svg'), 'utf8')).toBe('BB');
  });

  it('leaves no file behind whose bytes are not the ones that were promised', async () => {
    const client = await serving({ artifacts: [{ ...file('model.pkl', 'model'), content: 'mOdel' }] });
    await expect(downloadAll(client, JOB_ID, folder)).rejects.toMatchObject({ code: 'DOWNLOAD_CORRUPT' });
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['../outside.txt', '/etc/outside.txt', 'plots/../../outside.txt'])(
    'refuses to write to %s',
    async (name) => {
      const client = await serving({ artifacts: [file(name, 'x')] });
      await expect(downloadAll(client, JOB_ID, folder)).rejects.toMatchObject({
        code: 'ARTIFACT_NAME_UNSAFE',
      });
    },
  );
});

async function collect(updates: AsyncIterable<JobUpdate>): Promise<JobUpdate[]> {
  const collected: JobUpdate[] = [];
  for await (const update of updates) collected.push(update);
  return collected;
}
