import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { blobsOf } from '../../jobs/rig.ts';
import { table } from '../api.ts';
import { type Attack, post, type Target, until } from './target.ts';

/** Uploads as Alice and hands back the refusal's code, having seen that nothing is left on disk. */
async function refusal(
  target: Target,
  content: string | Buffer,
  name = 't.csv',
): Promise<string | undefined> {
  const before = await blobsOf(target.api.rig);
  const { code } = await target.api.start(content, { targetColumn: 'y' }, name, target.alice);
  await until(async () => (await readdir(join(target.api.rig.dataDir, 'blobs', '.incoming'))).length === 0);
  assert.deepEqual(await blobsOf(target.api.rig), before);
  return code;
}

/** Attacks by what is uploaded, and how. */
export const UPLOADS: Attack[] = [
  {
    number: 39,
    name: 'more bytes than are allowed',
    run: async (target) =>
      assert.equal(await refusal(target, `a,y\n${'1,2\n'.repeat(600_000)}`), 'FILE_TOO_LARGE'),
  },
  {
    number: 40,
    name: 'a gzip bomb',
    async run(target) {
      const bomb = gzipSync(Buffer.concat([Buffer.from('a,y\n'), Buffer.alloc(100_000_000, '1,2\n')]));
      assert.equal(await refusal(target, bomb, 't.csv.gz'), 'DECOMPRESSED_TOO_LARGE');
    },
  },
  {
    number: 41,
    name: '100,000 columns, a header of 50 MB',
    async run(target) {
      const wide = Array.from({ length: 100_000 }, (_, i) => `c${i}`).join(',');
      assert.equal(await refusal(target, `${wide}\n`), 'TOO_MANY_COLUMNS');
      const long = gzipSync(Buffer.alloc(50_000_000, 'column,'));
      assert.equal(await refusal(target, long, 't.csv.gz'), 'TOO_MANY_COLUMNS');
    },
  },
  {
    number: 42,
    name: 'NUL bytes, UTF-16, ragged rows',
    async run(target) {
      const rows = table(12);
      for (const content of [
        rows.replace('no', 'n\0o'),
        Buffer.from(`\uFEFF${rows}`, 'utf16le'),
        rows.replace('\n', '\n1,2,3,4,5\n'),
        Buffer.concat([Buffer.from(rows), Buffer.from([0xff, 0xfe, 0x00])]),
      ]) {
        assert.match((await refusal(target, content)) ?? '', /^[A-Z_0-9]+$/);
      }
    },
  },
  {
    number: 43,
    name: 'a path or line breaks for a name',
    async run(target) {
      for (const name of [
        '../../../etc/passwd',
        '..\\..\\boot.ini',
        'a\r\nset-cookie: x=1\r\n.csv',
        '/dev/null',
      ]) {
        const { job } = await target.api.start(table(), { targetColumn: 'y' }, name, target.alice);
        assert.match(job?.dataset.name ?? '', /^[^/\\\r\n]+$/);
      }
      for (const key of await blobsOf(target.api.rig))
        assert.match(key, /^(datasets|artifacts\/[0-9a-f-]{36})\/[0-9a-f-]{36}/);
    },
  },
  {
    number: 47,
    name: 'a request that never ends',
    async run(target) {
      const { port } = target.api;
      const drip = (head: string) =>
        new Promise<string>((resolve) => {
          const socket = connect(port, '127.0.0.1');
          let answer = '';
          socket.on('data', (data) => {
            answer += String(data);
          });
          socket.on('error', () => undefined);
          socket.write(head);
          const drops = setInterval(() => socket.write('x'), 100);
          socket.on('close', () => {
            clearInterval(drops);
            resolve(answer);
          });
        });
      const host = `host: 127.0.0.1:${port}\r\n`;
      assert.match(await drip(`POST /graphql HTTP/1.1\r\n${host}x-slow: `), /^HTTP\/1\.1 408 /);
      const body = `${host}authorization: Bearer ${target.alice}\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n`;
      assert.match(await drip(`POST /graphql HTTP/1.1\r\n${body}`), /^HTTP\/1\.1 408 /);
      assert.equal((await post(target, { query: '{ __typename }' }, target.alice)).status, 200);
    },
  },
];
