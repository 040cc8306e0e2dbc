import { pino } from 'pino';
import type { Config } from '../config.ts';
import { secretsOf } from '../config-operations.ts';
import { redactor } from './redact.ts';

/** The server's log: JSON lines, or readable ones on a terminal; to stderr, or to `file`. No secret gets into it. */
export function createLogger(config: Pick<Config, 'LOG_LEVEL' | 'LOG_FORMAT'>, file?: string): pino.Logger {
  const options = {
    level: config.LOG_LEVEL,
    base: null,
    hooks: { streamWrite: redactor(secretsOf(config)) },
  } satisfies pino.LoggerOptions;
  if (file !== undefined) return pino(options, pino.destination({ dest: file, mkdir: true }));
  const pretty =
    config.LOG_FORMAT === 'pretty' || (config.LOG_FORMAT === 'auto' && process.stderr.isTTY === true);
  if (!pretty) return pino(options, pino.destination(process.stderr.fd));
  const target = {
    target: 'pino-pretty',
    options: { destination: process.stderr.fd, ignore: 'pid,hostname' },
  };
  return pino({ ...options, transport: target });
}
