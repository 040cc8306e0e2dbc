import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { SproutError } from '../domain/errors.ts';

/** All that IANA has given out of IPv6 so far; the rest is not the internet, whatever is not listed as special in it. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/** Finds the addresses of a host; tests put their own in its place. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export const resolveHost: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** Whether an address is one of the public internet: no private, local, shared, reserved or tunnelled one. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0 || address.includes('%')) return false;
  // `process` makes ::ffff:10.0.0.1 the 10.0.0.1 that it leads to.
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_IPV6);
}

/**
 * Why no webhook may go to `url`, before anything is resolved, or null: what a person gets to hear who asks for it. Hosts in
 * `privateHosts` may be private and be reached without TLS.
 */
export function urlProblem(url: URL, privateHosts: ReadonlySet<string>): string | null {
  const host = hostOf(url);
  const trusted = privateHosts.has(host);
  if (url.protocol !== 'https:' && !(trusted && url.protocol === 'http:'))
    return 'it must begin with https://';
  if (url.username !== '' || url.password !== '') return 'it must not hold a user name or password';
  if (trusted) return null;
  if (isIP(host) !== 0 && !isPublicAddress(host)) return `${host} is not a public address`;
  if (host === 'localhost' || host.endsWith('.localhost')) return `${host} is this machine`;
  return null;
}

/**
 * The address to connect to: the first of the host's, once all of them have been checked. A name that leads anywhere private
 * leads nowhere. Rejects with WEBHOOK_ADDRESS_REFUSED, or WEBHOOK_HOST_UNKNOWN.
 */
export async function addressOf(
  url: URL,
  { privateHosts, resolve }: { privateHosts: ReadonlySet<string>; resolve: Resolve },
): Promise<string> {
  const host = hostOf(url);
  const problem = urlProblem(url, privateHosts);
  if (problem !== null) throw refused(problem);
  const addresses = isIP(host) === 0 ? await resolved(host, resolve) : [host];
  const [first] = addresses;
  if (first === undefined) throw unknownHost(host);
  if (privateHosts.has(host)) return first;
  const hidden = addresses.find((address) => !isPublicAddress(address));
  if (hidden !== undefined) throw refused(`${host} leads to ${hidden}, which is not a public address`);
  return first;
}

/** In lower case, without the brackets of an IPv6 address or the dot at a name's end. */
export const hostOf = ({ hostname }: URL): string =>
  hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');

async function resolved(host: string, resolve: Resolve): Promise<readonly string[]> {
  try {
    return await resolve(host);
  } catch (error) {
    throw unknownHost(host, error);
  }
}

const refused = (problem: string): SproutError =>
  new SproutError('WEBHOOK_ADDRESS_REFUSED', `Nothing is sent there: ${problem}.`, {
    hint: 'Use a public https address, or have the host added to WEBHOOK_PRIVATE_HOSTS.',
  });

const unknownHost = (host: string, cause?: unknown): SproutError =>
  new SproutError('WEBHOOK_HOST_UNKNOWN', `The host ${host} has no address.`, { cause });
