import { createHmac } from 'node:crypto';
import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { addressOf, hostOf, type Resolve } from './address.ts';

export interface Message {
  url: string;
  secret: string;
  id: string;
  at: Date;
  /** JSON. */
  body: string;
}

/**
 * Posts one signed message, by the Standard Webhooks specification, and resolves with the status code of the answer. It goes
 * to the very address that was checked, whatever the name leads to a moment later; redirects are not followed, and what is
 * answered is not read. Rejects when there is no answer within `timeoutMs`, or with the codes of `addressOf`.
 */
export async function send(
  message: Message,
  parts: { privateHosts: ReadonlySet<string>; resolve: Resolve; timeoutMs: number; signal: AbortSignal },
): Promise<number> {
  const url = new URL(message.url);
  const host = hostOf(url);
  const signal = AbortSignal.any([parts.signal, AbortSignal.timeout(parts.timeoutMs)]);
  const address = await beforeAbort(addressOf(url, parts), signal);
  const options: RequestOptions & { servername?: string } = {
    method: 'POST',
    host: address,
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    headers: {
      host: url.host,
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(message.body)),
      'user-agent': 'SproutML-Webhooks/1',
      ...signatureHeaders(message),
    },
    agent: false,
    signal,
    // The certificate is the name's, not the address's.
    ...(isIP(host) === 0 ? { servername: host } : {}),
  };
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const outgoing = request(options, (answer) => {
      answer.destroy();
      resolve(answer.statusCode ?? 0);
    });
    outgoing.once('error', (error) => reject(signal.aborted && !parts.signal.aborted ? late(parts) : error));
    outgoing.end(message.body);
  });
}

/** A name's lookup can't be cut short, only left alone. */
function beforeAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

const late = ({ timeoutMs }: { timeoutMs: number }): Error =>
  new Error(`no answer within ${timeoutMs / 1000} s`);

/** `webhook-id`, `webhook-timestamp` and `webhook-signature`: HMAC-SHA256 over the three parts joined by dots. */
export function signatureHeaders({
  id,
  at,
  body,
  secret,
}: Pick<Message, 'id' | 'at' | 'body' | 'secret'>): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
