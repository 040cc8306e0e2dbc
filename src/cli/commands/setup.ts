import { readConfig } from '../../config.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { prepareEnvironment } from '../prepare-environment.ts';

/** Builds the toolkit's Python environment, or says that it is there already. */
export async function setup(options: { dev?: boolean }): Promise<ExitCode> {
  const environment = await prepareEnvironment(readConfig(process.env), process.stderr, options);
  console.log(`Python ${environment.version} with the toolkit's libraries: ${environment.python}`);
  return EXIT.ok;
}
