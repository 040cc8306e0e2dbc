import { restore as restoreInto } from '../../backup/restore.ts';
import { readConfig } from '../../config.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { byteCount } from '../terminal-text.ts';

/** Lays a backup into DATA_DIR, which must be empty. */
export async function restore(folder: string, { json = false }: { json?: boolean }): Promise<ExitCode> {
  const { DATA_DIR: dataDir } = readConfig(process.env);
  const { manifest, endedJobs } = await restoreInto({ folder, dataDir });
  if (json) {
    console.log(JSON.stringify({ type: 'restored', dataDir, endedJobs, ...manifest }));
    return EXIT.ok;
  }
  const { count, bytes } = manifest.blobs;
  console.log(
    `Restored ${dataDir} as of ${manifest.createdAt}: the database and ${count} files, ${byteCount(bytes)}, all checked.`,
  );
  if (endedJobs > 0) {
    console.log(`${endedJobs} of its jobs were running then; they have failed and can be retried.`);
  }
  return EXIT.ok;
}
