import type { ServerResponse } from 'node:http';
import { messageOf } from '../domain/errors.ts';
import { sendJson } from './json.ts';

/** What must work for this server to be of use, by name; a check rejects with what is wrong. */
export type ReadinessChecks = Readonly<Record<string, () => Promise<void>>>;

const CHECK_TIMEOUT_MS = 2_000;

/** Runs all checks at once and answers 200, or 503 naming those that failed; why they did is told where anybody may know. */
export async function serveReadiness(
  response: ServerResponse,
  checks: ReadinessChecks,
  { reasons }: { reasons: boolean },
): Promise<void> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await outcome(check, reasons)] as const),
  );
  const ready = results.every(([, result]) => result === 'ok');
  sendJson(response, ready ? 200 : 503, {
    status: ready ? 'ready' : 'not ready',
    checks: Object.fromEntries(results),
  });
}

async function outcome(check: () => Promise<void>, reasons: boolean): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([check(), timeout]);
    return 'ok';
  } catch (error) {
    return reasons ? messageOf(error) : 'failed';
  } finally {
    clearTimeout(timer);
  }
}
