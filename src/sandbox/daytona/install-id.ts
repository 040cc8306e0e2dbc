import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What this installation calls itself in the cloud, so that several may share an account: kept in DATA_DIR, made on first need. */
export async function installId(directory: string): Promise<string> {
  const path = join(directory, 'install-id');
  const kept = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  if (/^[0-9a-f]{10}$/.test(kept.trim())) return kept.trim();
  const id = randomBytes(5).toString('hex');
  await writeFile(`${path}.new`, `${id}\n`, { flush: true });
  await rename(`${path}.new`, path);
  return id;
}
