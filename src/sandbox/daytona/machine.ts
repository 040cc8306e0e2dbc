import { z } from 'zod';
import type { Bubblewrap } from '../bubblewrap.ts';
import type { PythonEnvironment } from '../python-interpreter.ts';
import { seccompFilter } from '../seccomp.ts';

/** What `files.py setup` tells of the machine a sandbox is. */
export const machine = z.object({
  job: z.string(),
  python: z.string(),
  bin: z.string(),
  version: z.string(),
  sitePackages: z.string(),
  readOnlyPaths: z.array(z.string()),
  programs: z.object({
    bwrap: z.string().nullable(),
    prlimit: z.string().nullable(),
    setpriv: z.string().nullable(),
  }),
  isRoot: z.boolean(),
  /** User that processes are given and files belong to; null: there is but one. */
  uid: z.number().nullable(),
  /** What was saved of an earlier sandbox has not been brought here yet. */
  fresh: z.boolean(),
  machine: z.string(),
  cpus: z.number(),
  systemFolders: z.array(z.object({ path: z.string(), link: z.string().nullable() })),
});
export type Machine = z.output<typeof machine>;

export const environmentOf = ({
  python,
  bin,
  version,
  sitePackages,
  readOnlyPaths,
}: Machine): PythonEnvironment => ({
  python,
  bin,
  version,
  sitePackages,
  readOnlyPaths,
});

const PROCESSORS: Readonly<Record<string, string>> = { x86_64: 'x64', aarch64: 'arm64' };

/** What a contained process would be started with there; null where something is missing. Whether it works is to be tried. */
export function bubblewrapOf({
  programs,
  isRoot,
  machine: name,
  cpus,
  systemFolders,
}: Machine): Bubblewrap | null {
  const { bwrap, prlimit, setpriv } = programs;
  const filter = seccompFilter(PROCESSORS[name] ?? name);
  if (bwrap === null || prlimit === null || setpriv === null || filter === null) return null;
  return { bwrap, prlimit, setpriv, asRoot: isRoot, filter, inheritable: [], systemFolders, cpus };
}
