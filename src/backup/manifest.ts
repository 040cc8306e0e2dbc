import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { SproutError } from '../domain/errors.ts';

/** Written last: a folder without it is no backup. */
export const MANIFEST_FILE = 'backup.json';
/** Raise when an older release could not read what is written. */
export const FORMAT = 1;

const manifestShape = z.object({
  format: z.number(),
  /** The release that wrote it. */
  version: z.string(),
  createdAt: z.iso.datetime(),
  database: z.object({ sha256: z.string(), migrations: z.number() }),
  blobs: z.object({ count: z.number(), bytes: z.number() }),
  /** Blobs that were lost or altered already when the backup was made. */
  damaged: z.array(z.object({ key: z.string(), reason: z.enum(['missing', 'altered']) })),
});
export type Manifest = z.output<typeof manifestShape>;

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const file = await open(join(folder, MANIFEST_FILE), 'wx');
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Rejects with BACKUP_INCOMPLETE where there is none, and with BACKUP_TOO_NEW for one of a later release. */
export async function readManifest(folder: string): Promise<Manifest> {
  let text: string;
  try {
    text = await readFile(join(folder, MANIFEST_FILE), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    throw new SproutError(
      'BACKUP_INCOMPLETE',
      `${folder} holds no whole backup: ${MANIFEST_FILE} is missing.`,
      {
        hint: 'Name the folder that `sproutml backup` was given. One that was cut short ends in `.part` and is of no use.',
        cause: error,
      },
    );
  }
  const parsed = manifestShape.safeParse(parseJson(text));
  if (!parsed.success) throw damagedBackup(folder, `${MANIFEST_FILE} is not as it was written`);
  if (parsed.data.format > FORMAT) throw tooNew(parsed.data);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export const tooNew = ({ version }: Manifest): SproutError =>
  new SproutError('BACKUP_TOO_NEW', `The backup was made by a later release (${version}).`, {
    hint: 'Restore it with that release.',
  });

export const damagedBackup = (folder: string, what: string): SproutError =>
  new SproutError('BACKUP_DAMAGED', `The backup in ${folder} is damaged: ${what}.`, {
    hint: 'Use another backup. Nothing starts on what this one has left in the data folder.',
  });

/** SHA-256 of a file, in hex. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
