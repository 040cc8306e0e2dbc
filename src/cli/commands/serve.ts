import { once } from 'node:events';
import { readConfig } from '../../config.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { createLogger } from '../logger.ts';

/** Runs the server until SIGINT or SIGTERM, then closes it in order; a second signal ends it at once. */
export async function serve(): Promise<ExitCode> {
  const config = readConfig(process.env);
  const logger = createLogger(config);
  const { startApp } = await import('../../app.ts');
  const app = await startApp({ config, logger });
  const [signal] = await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  for (const again of ['SIGINT', 'SIGTERM'] as const) process.once(again, () => process.exit(EXIT.cancelled));
  logger.info({ signal }, 'shutting down');
  await app.close();
  return EXIT.ok;
}
