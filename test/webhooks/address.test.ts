import { describe, expect, it } from 'vitest';
import { addressOf, isPublicAddress, urlProblem } from '../../src/webhooks/address.ts';

const NOBODY: ReadonlySet<string> = new Set();

describe('where webhooks may go', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.8.9.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:a00:1',
    '::127.0.0.1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
    '2001:0:1::1',
    '2001:db8::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    'fe80::1%eth0',
    'not an address',
  ])('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(['1.1.1.1', '93.184.215.14', '172.32.0.1', '2606:4700:4700::1111', '::ffff:1.1.1.1'])(
    '%s is public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    ['http://example.com/', 'https'],
    ['ftp://example.com/', 'https'],
    ['file:///etc/passwd', 'https'],
    ['https://me:secret@example.com/', 'user name'],
    ['https://localhost/', 'this machine'],
    ['https://a.localhost./', 'this machine'],
    ['https://127.1/', 'not a public'],
    ['https://2130706433/', 'not a public'],
    ['https://0x7f.0.0.1/', 'not a public'],
    ['https://[::1]/', 'not a public'],
    ['https://[::ffff:169.254.169.254]/', 'not a public'],
    ['https://10.0.0.1./', 'not a public'],
  ])('%s is refused when it is asked for', (url, why) => {
    expect(urlProblem(new URL(url), NOBODY)).toContain(why);
  });

  it('takes public https addresses, and by http and privately only hosts that are listed', () => {
    expect(urlProblem(new URL('https://example.com:8443/a?b=c'), NOBODY)).toBeNull();
    expect(urlProblem(new URL('http://10.0.0.7/'), new Set(['10.0.0.7']))).toBeNull();
    expect(urlProblem(new URL('http://10.0.0.8/'), new Set(['10.0.0.7']))).not.toBeNull();
  });

  it.each([[['10.0.0.1']], [['1.1.1.1', '127.0.0.1']], [['2606:4700:4700::1111', 'fd00::1']]])(
    'a name that leads to %j leads nowhere',
    async (addresses) => {
      const going = addressOf(new URL('https://hook.example/'), {
        privateHosts: NOBODY,
        resolve: async () => addresses,
      });
      await expect(going).rejects.toMatchObject({ code: 'WEBHOOK_ADDRESS_REFUSED' });
    },
  );

  it('says so when a name leads nowhere', async () => {
    for (const resolve of [async () => [], () => Promise.reject(new Error('ENOTFOUND'))]) {
      const going = addressOf(new URL('https://hook.example/'), { privateHosts: NOBODY, resolve });
      await expect(going).rejects.toMatchObject({ code: 'WEBHOOK_HOST_UNKNOWN' });
    }
  });
});
