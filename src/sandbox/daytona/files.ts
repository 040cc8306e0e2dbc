import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, openSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { missing, refused, splitPath } from '../job-folder.ts';
import { DaytonaError } from './errors.ts';
import type { Inside } from './process.ts';

/** Files over the border, through a file of this machine's own: what is cut on the way can be sent again, and no memory is held. */
export interface Transfers {
  inside: Inside & { live<T>(work: () => Promise<T>): Promise<T> };
  /** Copies a file of the sandbox to this machine; tried once, and may leave half of it without a word. */
  download(from: string, to: string): Promise<void>;
  /** Makes what was put outlive the sandbox. */
  keep(): Promise<void>;
  /** Where files wait on this machine. */
  spool: string;
  /** User that files belong to inside; null: whoever is there. */
  readonly uid: number | null;
}

const refusal = z.object({ refused: z.enum(['missing', 'refused', 'corrupt']), why: z.string() });
const taken = z.union([refusal, z.object({ ok: z.literal(true) })]);
const given = z.union([refusal, z.object({ size: z.number(), sha256: z.string() })]);

/** Hashing a gibibyte on a slow disk. */
const SECONDS = 300;
const TRIES = 4;

/** Streams `content` to `path`, its sha256 compared when it has arrived. Whole or not at all. */
export async function putRemote(transfers: Transfers, path: string, content: Readable): Promise<void> {
  const here = join(transfers.spool, randomUUID());
  try {
    splitPath(path);
    const { sha256 } = await save(content, here, transfers.spool);
    await transfers.inside.live(async () => {
      await send(transfers, here, path, sha256);
      await transfers.keep();
    });
  } finally {
    content.destroy();
    await rm(here, { force: true });
  }
}

async function send({ inside, uid }: Transfers, here: string, path: string, sha256: string): Promise<void> {
  for (let left = TRIES - 1; ; left -= 1) {
    const there = `sproutml/transfer/${randomUUID()}`;
    await inside.upload(here, there);
    const words = ['take', there, word(path), sha256, uid === null ? '-' : String(uid)];
    const answer = taken.parse(await inside.persist('files', words, SECONDS));
    if ('ok' in answer) return;
    if (answer.refused === 'refused') throw refused(path, answer.why);
    if (answer.refused === 'missing') throw missing(path);
    if (left === 0) throw corrupt(path, answer.why);
  }
}

/** Fetches a file whole, its sha256 compared, and gives it as a stream. */
export async function getRemote(
  transfers: Transfers,
  path: string,
): Promise<{ size: number; stream: Readable }> {
  const { inside, spool } = transfers;
  splitPath(path);
  const here = join(spool, randomUUID());
  await mkdir(spool, { recursive: true, mode: 0o700 });
  try {
    for (let left = TRIES - 1; ; left -= 1) {
      const name = randomUUID();
      const answer = given.parse(await inside.persist('files', ['give', word(path), name], SECONDS));
      if ('refused' in answer) {
        throw answer.refused === 'missing' ? missing(path) : refused(path, answer.why);
      }
      const trouble = await fetchOnce(transfers, `sproutml/transfer/${name}`, here, answer);
      await inside.persist('files', ['drop', name], SECONDS);
      if (trouble === null) return { size: answer.size, stream: await streamOf(here) };
      if (left === 0) throw trouble;
    }
  } catch (error) {
    await rm(here, { force: true });
    throw error;
  }
}

/** Null when all of it arrived. */
async function fetchOnce(
  { download }: Transfers,
  from: string,
  here: string,
  promised: { size: number; sha256: string },
): Promise<DaytonaError | null> {
  try {
    await download(from, here);
    const { size, sha256 } = await measure(here);
    if (sha256 === promised.sha256) return null;
    return corrupt(from, `${size} of ${promised.size} bytes arrived`);
  } catch (error) {
    if (error instanceof DaytonaError && error.trouble !== 'key') return error;
    throw error;
  }
}

/** The file is gone from its folder at once; its bytes stay as long as they are being read. */
async function streamOf(path: string): Promise<Readable> {
  // A bare descriptor: a FileHandle that a caller forgets with its stream would end the server at garbage collection.
  const file = openSync(path, 'r');
  await rm(path);
  return createReadStream('', { fd: file, start: 0 });
}

async function save(content: Readable, to: string, spool: string): Promise<{ sha256: string }> {
  await mkdir(spool, { recursive: true, mode: 0o700 });
  const hash = createHash('sha256');
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(content, tap, createWriteStream(to, { mode: 0o600 }));
  return { sha256: hash.digest('hex') };
}

async function measure(path: string): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
    size += (chunk as Buffer).length;
  }
  return { size, sha256: hash.digest('hex') };
}

/** Names may hold anything; what goes on a command line may not. */
const word = (path: string): string => Buffer.from(path).toString('base64url');

const corrupt = (path: string, why: string): DaytonaError =>
  new DaytonaError('unavailable', `passing ${path}`, new Error(why));
