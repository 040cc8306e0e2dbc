import { type Command, InvalidArgumentError, Option } from 'commander';
import { SCOPES, type Scope } from '../domain/viewer.ts';
import type { ExitCode } from './exit-codes.ts';

/** `sproutml keys create|list|revoke`, on the data folder itself: whoever may write there needs no token. */
export function addKeysCommand(program: Command, end: (code: ExitCode) => void): void {
  const keys = program
    .command('keys')
    .description('make, list and revoke API keys of the server of DATA_DIR, running or not');

  keys
    .command('create')
    .description('make a key and print it, once')
    .requiredOption('--name <text>', 'what it is for')
    .requiredOption('--owner <owner>', 'whose jobs and datasets it sees and makes')
    .addOption(
      new Option('--scope <scope>', 'read: look; train: also start jobs; admin: also keys, and see all')
        .argParser(scope)
        .default('TRAIN' satisfies Scope, 'train'),
    )
    .option('--expires-in-days <days>', 'when it ends; default: not by itself', days)
    .option('--json', 'print JSON')
    .action(async (options) => {
      const { createKey } = await import('./commands/keys.ts');
      end(await createKey(options));
    });

  keys
    .command('list')
    .description('show the keys there are; their secrets are kept nowhere')
    .option('--json', 'print JSON')
    .action(async (options) => {
      const { listKeys } = await import('./commands/keys.ts');
      end(await listKeys(options));
    });

  keys
    .command('revoke')
    .description('close a key for good; connections it holds open end within a second')
    .argument('<id>', 'the id that `keys list` shows')
    .action(async (id: string) => {
      const { revokeKey } = await import('./commands/keys.ts');
      end(await revokeKey(id));
    });
}

function scope(text: string): Scope {
  const found = SCOPES.find((name) => name.toLowerCase() === text.toLowerCase());
  if (found === undefined) throw new InvalidArgumentError('Give read, train or admin.');
  return found;
}

function days(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 36_500)) throw new InvalidArgumentError('Give a number of days.');
  return value;
}
