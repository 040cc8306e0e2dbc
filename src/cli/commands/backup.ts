import { backUp } from '../../backup/backup.ts';
import { readConfig } from '../../config.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { byteCount } from '../terminal-text.ts';

/** Copies database and files of DATA_DIR into a folder, while the server runs; fails when a file was lost before. */
export async function backup(
  folder: string,
  { version, json = false }: { version: string; json?: boolean },
): Promise<ExitCode> {
  const { DATA_DIR: dataDir } = readConfig(process.env);
  const started = performance.now();
  const manifest = await backUp({ dataDir, folder, version, now: new Date() });
  const { blobs, damaged } = manifest;
  if (json) {
    console.log(JSON.stringify({ type: 'backup', folder, ...manifest }));
  } else {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(
      `Backed up ${dataDir} to ${folder}: the database and ${blobs.count} files, ${byteCount(blobs.bytes)}, all checked, in ${seconds} s.`,
    );
    for (const { key, reason } of damaged) console.error(`FILE_LOST: ${key} is ${reason} in ${dataDir}.`);
    if (damaged.length > 0) {
      console.error('  -> The rest is backed up. If an older backup has these files, copy them from there.');
    }
  }
  return damaged.length === 0 ? EXIT.ok : EXIT.failed;
}
