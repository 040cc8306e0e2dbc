/** What a script may rely on; the README and `--help` show this table. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  cancelled: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_CODE_MEANINGS: readonly { code: ExitCode; meaning: string }[] = [
  { code: EXIT.ok, meaning: 'done' },
  {
    code: EXIT.failed,
    meaning: 'the job failed, a file did not arrive whole, or a check of `doctor` failed',
  },
  { code: EXIT.usage, meaning: 'wrong usage: unknown option, unusable file, target or configuration' },
  { code: EXIT.unreachable, meaning: 'the server cannot be reached' },
  { code: EXIT.cancelled, meaning: 'cancelled, by Ctrl-C here or by someone else' },
];
