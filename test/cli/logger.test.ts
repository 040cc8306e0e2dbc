import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/cli/logger.ts';
import { describeConfig, readConfig } from '../../src/config.ts';
import { secretsOf } from '../../src/config-operations.ts';
import { ApiUser } from '../end-to-end/client.ts';
import { startServerProcess, temporaryFolder } from '../server-process.ts';

const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const SIGNING_SECRET = 'with "quotes" and \\ in it, to sign';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder('log');
});
afterAll(() => folder.remove());

/** The file is opened and written to behind the logger's back. */
async function linesOf(file: string, count: number): Promise<string[]> {
  const read = () =>
    readFile(file, 'utf8').then(
      (text) => text.split('\n').slice(0, -1),
      () => [],
    );
  await expect.poll(read).toHaveLength(count);
  return read();
}

describe('the log', () => {
  it.each([
    ['a secret of the configuration', SIGNING_SECRET],
    ['an API key', 'sprt_abc123_Zm9vYmFyYmF6cXV4Zm9v'],
    ['a bearer token', 'Bearer abcdef0123456789'],
    ['a basic password', 'Basic dXNlcjpwYXNzd29yZA=='],
    ['a JWT', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9AAAA.c2lnbmF0dXJl'],
    ['a key of a vendor', 'sk-proj-abcdefghijklmnopqrstuv'],
    ['a webhook secret', `whsec_${Buffer.alloc(24, 1).toString('base64')}`],
    ['a signed link', 'https://ml.example/artifacts/1/model.pkl?expires=1&signature=AbCdEf0123'],
    ['a password in an address', 'postgres://sprout:hunter2hunter2@db/sprout'],
  ])('blanks %s wherever it stands', async (name, secret) => {
    const file = join(folder.path, `${name.replaceAll(' ', '-')}.log`);
    const config = readConfig({ SIGNING_SECRET, LOG_FORMAT: 'json' });
    const logger = createLogger(config, file);
    logger.info(`said in passing: ${secret}`);
    logger.child({ bound: secret }).warn({ deep: { down: [secret] } }, 'in a field');
    logger.error({ err: new Error(`failed with ${secret}`) }, 'in a stack');
    logger.info({ req: { headers: { authorization: secret } } }, 'in a header');
    const lines = await linesOf(file, 4);
    const text = lines.join('\n');
    for (const line of lines) {
      expect(() => JSON.parse(line)).not.toThrow();
      expect(line).toContain('[redacted]');
    }
    const secretPart = secret.split(/[ _=:/]/).at(-1) ?? secret;
    const hidden = secret.includes('@') ? 'hunter2' : secretPart.length < 6 ? secret : secretPart;
    expect(text).not.toContain(hidden);
  });

  it('leaves what is no secret as it is', async () => {
    const file = join(folder.path, 'plain.log');
    const logger = createLogger(readConfig({ SIGNING_SECRET, LOG_FORMAT: 'json' }), file);
    const plain = 'job 42 of "penguins.csv" at http://127.0.0.1:4000/graphql?x=1 took 3 s, token budget 100';
    logger.info({ inputTokens: 12, key: 'orchestrator#1' }, plain);
    const [line] = await linesOf(file, 1);
    expect(JSON.parse(String(line))).toMatchObject({
      msg: plain,
      inputTokens: 12,
      key: 'orchestrator#1',
    });
  });

  it('knows every variable that sounds like a secret', () => {
    const secret = describeConfig().filter(({ name }) => secretsOf({ [name]: 'x' }).length > 0);
    const sounding = describeConfig().filter(({ name }) => /SECRET|TOKEN$|PASSWORD|API_KEY/.test(name));
    expect(secret.map(({ name }) => name)).toEqual(expect.arrayContaining(sounding.map(({ name }) => name)));
    expect(secret.length).toBeGreaterThan(2);
  });

  it('of a real server that says all it can holds none', { timeout: 60_000 }, async () => {
    const METRICS_TOKEN = 'metrics-token-of-the-test';
    const server = await startServerProcess({
      dataDir: join(folder.path, 'data'),
      environment: { LOG_LEVEL: 'trace', SIGNING_SECRET, METRICS_TOKEN, WEBHOOK_SECRET },
    });
    try {
      const user = new ApiUser(server.url);
      const webhook = { url: 'https://hooks.invalid/path' };
      const started = await user.start('a,y\n1,2\n', { targetColumn: 'y', webhook });
      expect(started.__typename).toBe('InvalidDatasetError');
      const origin = server.url.replace('/graphql', '');
      for (const authorization of [`Bearer ${METRICS_TOKEN}`, 'Bearer sprt_1_notakeyofours']) {
        await fetch(`${origin}/metrics`, { headers: { authorization } });
        await fetch(server.url, { headers: { authorization } });
      }
      await fetch(`${origin}/artifacts/x/y?signature=${METRICS_TOKEN}`);
    } finally {
      await server.terminate();
    }
    const log = server.log();
    expect(log).toContain('"request"');
    for (const secret of [SIGNING_SECRET, METRICS_TOKEN, WEBHOOK_SECRET, 'notakeyofours']) {
      expect(log).not.toContain(JSON.stringify(secret).slice(1, -1));
    }
  });
});
