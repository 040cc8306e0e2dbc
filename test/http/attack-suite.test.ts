import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTENT } from './attacks/content.ts';
import { IDENTITY } from './attacks/identity.ts';
import { LINKS } from './attacks/links.ts';
import { OPERATIONS, REFUSED_IN_MS } from './attacks/operations.ts';
import { SOCKETS } from './attacks/sockets.ts';
import { openTarget, type Target } from './attacks/target.ts';
import { TENANCY } from './attacks/tenancy.ts';
import { UPLOADS } from './attacks/uploads.ts';

const GROUPS = { IDENTITY, TENANCY, LINKS, OPERATIONS, SOCKETS, UPLOADS, CONTENT };
const ATTACKS = Object.values(GROUPS).flat();

let target: Target;
const blocked = new Set<number>();
beforeAll(async () => {
  target = await openTarget();
});
afterAll(async () => {
  await target.close();
  const slowest = Math.max(0, ...REFUSED_IN_MS.values()).toFixed(1);
  process.stdout.write(
    `attacks on the server blocked: ${blocked.size}/${ATTACKS.length}; costly operations refused in ${slowest} ms at most\n`,
  );
});

describe.each(Object.entries(GROUPS))('attacks: %s', (_group, attacks) => {
  it.each(attacks.map((attack) => [attack.number, attack.name, attack] as const))(
    '%i %s',
    { timeout: 120_000 },
    async (number, _name, attack) => {
      await attack.run(target);
      blocked.add(number);
    },
  );
});

it('are all that the list has up to the sandbox, whose own suite has the rest', () => {
  const numbers = ATTACKS.map(({ number }) => number).sort((a, b) => a - b);
  expect(numbers).toEqual(Array.from({ length: 47 }, (_, index) => index + 1));
});
