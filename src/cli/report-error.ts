import { ConfigError } from '../config.ts';
import { messageOf, SproutError } from '../domain/errors.ts';
import { InputError } from './errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** Tells people on stderr (or a program on stdout) what went wrong and what to do, and returns the exit code it deserves. */
export function reportError(error: unknown, asJson: boolean): ExitCode {
  const exitCode = exitCodeOf(error);
  const { code, message, hint } = described(error);
  if (asJson) console.log(JSON.stringify({ type: 'error', code, message, hint, exitCode }));
  else console.error(hint === null ? `${code}: ${message}` : `${code}: ${message}\n  -> ${hint}`);
  return exitCode;
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof InputError || error instanceof ConfigError) return EXIT.usage;
  if (error instanceof SproutError && error.code === 'SERVER_UNREACHABLE') return EXIT.unreachable;
  return EXIT.failed;
}

function described(error: unknown): { code: string; message: string; hint: string | null } {
  if (error instanceof SproutError) {
    return { code: error.code, message: error.message, hint: error.hint ?? null };
  }
  if (error instanceof ConfigError) {
    return {
      code: 'INVALID_CONFIG',
      message: error.message,
      hint: '`sproutml serve --help` lists them all.',
    };
  }
  if (isSystemError(error)) return { code: error.code, message: error.message, hint: systemHint(error.code) };
  // Nobody expected this: where it came from is the only help there is.
  const trace = error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
  return { code: 'UNEXPECTED', message: trace, hint: 'This is a bug: please report it with these lines.' };
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException & { code: string } =>
  error instanceof Error && 'syscall' in error && 'code' in error;

function systemHint(code: string): string | null {
  if (code === 'EADDRINUSE') return 'Something else listens there: stop it, or set PORT to another.';
  if (code === 'EACCES' || code === 'EPERM') return 'This user may not do that there.';
  if (code === 'ENOSPC') return 'The disk is full.';
  return null;
}
