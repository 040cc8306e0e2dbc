import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { describeConfig } from '../config.ts';
import { METRICS, TASKS } from '../domain/vocabulary.ts';
import { EXIT, EXIT_CODE_MEANINGS, type ExitCode } from './exit-codes.ts';
import { addKeysCommand } from './keys-command.ts';
import { reportError } from './report-error.ts';

const DEFAULT_SERVER = 'http://127.0.0.1:4000';
const DEMO_SECONDS = 30;

/** Parses `argv` as Node gives it, runs the command and sets the process's exit code. Never throws. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  // A reader that has seen enough (`… | head`) is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  let exitCode: ExitCode = EXIT.ok;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    const asJson = argv.includes('--json');
    exitCode = error instanceof CommanderError ? usageExitCode(error) : reportError(error, asJson);
  }
  process.exitCode = exitCode;
}

/** Commander has said what is wrong (or shown the help that was asked for) before it throws. */
const usageExitCode = (error: CommanderError): ExitCode => (error.exitCode === 0 ? EXIT.ok : EXIT.usage);

function buildProgram(end: (code: ExitCode) => void): Command {
  const program = new Command('sproutml')
    .description(
      'Upload a CSV, name the column to predict, watch a team of agents train real models, download the result.',
    )
    .version(version(), '-V, --version', 'print the version')
    .exitOverride()
    .showHelpAfterError('(add --help for what it takes)')
    .addHelpText('after', () => `\n${exitCodeTable()}\n\nStart here:\n  $ sproutml demo\n`);

  program
    .command('serve')
    .description('run the server: GraphQL over HTTP and WebSocket, jobs, downloads')
    .addHelpText('after', () => `\nConfiguration, by environment variable:\n${configTable()}\n`)
    .addHelpText(
      'after',
      examples('sproutml serve', 'PORT=8080 DATA_DIR=/srv/sproutml JOB_CONCURRENCY=2 sproutml serve'),
    )
    .action(async () => {
      const { serve } = await import('./commands/serve.ts');
      end(await serve());
    });

  program
    .command('train')
    .description('upload a CSV to a running server and start a job on it')
    .argument('<file>', 'the table: .csv, .tsv or .csv.gz')
    .requiredOption('--target <column>', 'the column to predict')
    .option('--name <text>', "what to call the job; default: the file's name")
    .addOption(new Option('--task <task>', 'what kind of target it is; default: inferred').choices(TASKS))
    .addOption(new Option('--metric <metric>', 'what to optimise; default: by task').choices(METRICS))
    .option('--quantile <share>', 'with PINBALL: the share of values to lie above; default: 0.5', number)
    .option('--time-budget <seconds>', 'how long to search', wholeNumber)
    .option('--max-trials <count>', 'how many configurations to try at most', wholeNumber)
    .option('--seed <number>', 'what is left to chance is decided by it; default: 0', wholeNumber)
    .option('--goal <score>', 'stop once the validation score is as good as this', number)
    .option('--ignore <column...>', 'columns the models may not use')
    .option('--keep <column...>', 'columns to use though they look like row names or copies of others')
    .option(
      '--holdout-fraction <share>',
      'share of the rows sealed for the final score, 0 to 0.5; default: by size',
      number,
    )
    .option('--group-column <column>', 'keep rows of one value together: new rows will be of new groups')
    .option('--time-column <column>', 'seal the latest rows by this column: new rows will be later ones')
    .option('--instructions <text>', 'what the agents should know about the data')
    .option('--max-cost <dollars>', 'most that a language model may cost; 0: the playbook alone', number)
    .option('--idempotency-key <key>', 'the same key and input again give the same job')
    .addOption(serverOption())
    .addOption(tokenOption())
    .option('--wait', 'stay until the job has ended, showing what happens; Ctrl-C ends it and keeps the best')
    .option('--out <folder>', 'download every artifact into this folder; implies --wait')
    .option('--json', 'print JSON lines for a program to read; the last line is the result')
    .addHelpText(
      'after',
      examples(
        'sproutml train houses.csv --target price --wait',
        'sproutml train churn.csv.gz --target left --metric PR_AUC --time-budget 300 --out ./churn-model',
        'sproutml train delays.csv --target minutes --metric PINBALL --quantile 0.9 --wait',
        'sproutml train visits.csv --target readmitted --group-column patient --wait',
        'sproutml train clicks.csv --target label --ignore user_id session --json --wait | tail -1 | jq .result',
      ),
    )
    .action(async (file: string, options) => {
      const { train } = await import('./commands/train.ts');
      end(await train(file, options));
    });

  program
    .command('watch')
    .description('follow a job of a running server, from its first event on')
    .argument('<job>', 'the id that `train` printed')
    .addOption(serverOption())
    .addOption(tokenOption())
    .option('--out <folder>', 'download every artifact into this folder once the job has ended')
    .option('--json', 'print JSON lines for a program to read; the last line is the result')
    .addHelpText('after', examples('sproutml watch job_0190f6b0-6f5e-4c39-9a53-0d5f3b3f7c11'))
    .action(async (job: string, options) => {
      const { watch } = await import('./commands/watch.ts');
      end(await watch(job, options));
    });

  program
    .command('demo')
    .description('train on a real table through a server of its own, and leave the files in a folder')
    .option('--file <csv>', 'another table than the penguins')
    .option('--target <column>', 'its column to predict; with --file')
    .option('--time-budget <seconds>', 'how long to search', wholeNumber, DEMO_SECONDS)
    .option('--out <folder>', 'where the files go; default: ./sproutml-demo-<date>-<time>')
    .option('--port <port>', 'port of the server; default: a free one', wholeNumber)
    .addOption(
      new Option('--mind <who>', "who sits in the agents' seats; default: as configured").choices([
        'playbook',
        'scripted',
      ]),
    )
    .option('--keep-open', 'leave the server running afterwards, to look around in GraphiQL')
    .option('--json', 'print JSON lines for a program to read; the last line is the result')
    .addHelpText(
      'after',
      examples(
        'sproutml demo',
        'sproutml demo --keep-open',
        'sproutml demo --mind scripted',
        'sproutml demo --file houses.csv --target price',
      ),
    )
    .action(async (options) => {
      const { demo } = await import('./commands/demo.ts');
      end(await demo(options));
    });

  program
    .command('doctor')
    .description('check whether this machine can run it, and say what to do where it cannot')
    .option('--json', 'print the checks as JSON')
    .addHelpText('after', examples('sproutml doctor', 'PORT=8080 sproutml doctor --json'))
    .action(async (options) => {
      const { doctor } = await import('./commands/doctor.ts');
      end(await doctor(options));
    });

  program
    .command('setup')
    .description('build the Python environment that jobs run in; other commands do it when they need it')
    .option('--dev', "add what the toolkit's own tests need")
    .addHelpText('after', examples('sproutml setup', 'PYTHON=/usr/bin/python3.12 sproutml setup'))
    .action(async (options) => {
      const { setup } = await import('./commands/setup.ts');
      end(await setup(options));
    });

  addKeysCommand(program, end);
  program
    .command('backup')
    .description('copy database and files of DATA_DIR into a new folder, while the server runs')
    .argument('<folder>', 'where to; it must not be there yet')
    .option('--json', 'print what was copied as a JSON line')
    .addHelpText(
      'after',
      examples('sproutml backup /backups/$(date +%F)', 'DATA_DIR=/srv/sproutml sproutml backup /backups/now'),
    )
    .action(async (folder: string, options) => {
      const { backup } = await import('./commands/backup.ts');
      end(await backup(folder, { ...options, version: version() }));
    });

  program
    .command('restore')
    .description('lay a backup into DATA_DIR, which must be empty and no server running on it')
    .argument('<folder>', 'the backup')
    .option('--json', 'print what was restored as a JSON line')
    .addHelpText(
      'after',
      examples('sproutml restore /backups/2026-11-23', 'DATA_DIR=/srv/again sproutml restore /backups/now'),
    )
    .action(async (folder: string, options) => {
      const { restore } = await import('./commands/restore.ts');
      end(await restore(folder, options));
    });

  return program;
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}

const serverOption = () =>
  new Option('--server <url>', 'the running server').default(DEFAULT_SERVER).argParser((text) => {
    if (!/^https?:$/.test(URL.parse(text)?.protocol ?? '')) {
      throw new InvalidArgumentError(`Give an address such as ${DEFAULT_SERVER}.`);
    }
    return text;
  });

const tokenOption = () =>
  new Option('--token <token>', 'API key or token, where the server asks who you are').env('SPROUTML_TOKEN');

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Give a number.');
  return value;
}

function wholeNumber(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('Give a whole number.');
  return value;
}

const examples = (...lines: string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;

const exitCodeTable = (): string =>
  `Exit codes:\n${EXIT_CODE_MEANINGS.map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n')}`;

function configTable(): string {
  const variables = describeConfig();
  const width = Math.max(...variables.map(({ name }) => name.length));
  return variables
    .map((variable) => {
      const preset = variable.default === '' ? '' : ` [${variable.default}]`;
      return `  ${variable.name.padEnd(width)}  ${variable.description}${preset}`;
    })
    .join('\n');
}
