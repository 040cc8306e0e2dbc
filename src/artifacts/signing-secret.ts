import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The secret kept in `directory/signing-secret`, made on first need and readable by its owner alone. */
export async function loadSigningSecret(directory: string): Promise<string> {
  const path = join(directory, 'signing-secret');
  try {
    const kept = (await readFile(path, 'utf8')).trim();
    if (kept.length >= 16) return kept;
    throw new Error(`${path} holds no usable secret; delete it and a new one is made`);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const secret = randomBytes(32).toString('base64url');
  // Renamed into place whole: a crash in between must not leave half a secret that the next start trips over.
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  await writeFile(temporary, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
  await rename(temporary, path);
  return secret;
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
