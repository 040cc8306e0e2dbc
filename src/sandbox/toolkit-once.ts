import type { ProcessLimits, Sandbox } from './sandbox.ts';
import type { ToolkitCallOptions } from './toolkit.ts';
import { type CallOutcome, conclude, ToolkitMessages } from './toolkit-wire.ts';

const TAIL_LINES = 20;

/** Runs one toolkit command in a process of its own: its request on stdin, its messages on stdout. */
export async function callOnce(
  sandbox: Sandbox,
  program: readonly [string, ...string[]],
  limits: ProcessLimits,
  command: string,
  request: unknown,
  options: ToolkitCallOptions,
): Promise<unknown> {
  const outcome: CallOutcome & { tail: string[] } = { result: null, error: null, tail: [] };
  const onText = (level: 'INFO' | 'WARNING') => (text: string) => {
    outcome.tail.push(text);
    if (outcome.tail.length > TAIL_LINES) outcome.tail.shift();
    options.onLog?.(level, text);
  };
  const stdout = new ToolkitMessages((message) => {
    if (message.type === 'progress') options.onProgress?.(message.fraction, message.message);
    else if (message.type === 'log') options.onLog?.(message.level, message.message);
    else if (message.type === 'result') outcome.result = { value: message.result };
    else if (message.type === 'error') outcome.error = message;
  }, onText('INFO'));
  const onStderr = onText('WARNING');

  const process = await sandbox.start({
    argv: [...program, command],
    limits: { ...limits, wallSeconds: options.timeoutMs / 1000 },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.key === undefined ? {} : { key: `${options.key} ${command}` }),
    onLine: (stream, line, continues) =>
      stream === 'stdout' ? stdout.line(line, continues) : onStderr(line),
  });
  process.send(JSON.stringify(request), 'request');
  process.end();
  const exit = await process.exit;
  if (exit.reason === 'aborted') throw options.signal?.reason;
  const concluded = conclude(command, outcome, exit);
  if (concluded instanceof Error) throw concluded;
  return concluded.value;
}
