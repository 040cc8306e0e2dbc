import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

/** An interpreter with its libraries, and what must be visible for it to run. */
export interface PythonEnvironment {
  /** Absolute path of the interpreter. */
  python: string;
  /** Folder of the interpreter and of the programs installed beside it. */
  bin: string;
  /** "3.12.4". */
  version: string;
  /** Folders a contained process needs to see, beyond /usr. */
  readOnlyPaths: readonly string[];
}

const run = promisify(execFile);

const SELF_PORTRAIT = `
import json, sys
print(json.dumps({"executable": sys.executable, "prefix": sys.prefix, "basePrefix": sys.base_prefix,
  "version": "%d.%d.%d" % sys.version_info[:3]}))
`;
const selfPortrait = z.object({
  executable: z.string(),
  prefix: z.string(),
  basePrefix: z.string(),
  version: z.string(),
});

/** Asks an interpreter where it lives. Rejects when it does not run. */
export async function describePython(
  python: string,
  extraPaths: readonly string[] = [],
): Promise<PythonEnvironment> {
  const { stdout } = await run(python, ['-I', '-c', SELF_PORTRAIT], { timeout: 30_000 });
  const self = selfPortrait.parse(JSON.parse(stdout));
  const binary = await realpath(self.executable);
  const paths = new Set([self.prefix, self.basePrefix, dirname(dirname(binary)), ...extraPaths]);
  return {
    python: self.executable,
    bin: dirname(self.executable),
    version: self.version,
    readOnlyPaths: [...paths].filter((path) => path !== '/' && path !== '/usr'),
  };
}
