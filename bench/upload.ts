/**
 * `npm run bench:upload`: a 1 GB CSV through `uploadDataset`, against the plainest thing that could be done with the same
 * bytes: `cat file | node -> disk`. Peak memory is the server's own, over its idle.
 */
import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { megabytes, memoryOf, printTable, startServer } from './server.ts';

const BYTES = Number(process.env.BENCH_UPLOAD_BYTES ?? 1e9);

const folder = await mkdtemp(join(tmpdir(), 'sproutml-bench-upload-'));
try {
  const file = join(folder, 'table.csv');
  await pipeline(Readable.from(tableOf(BYTES)), createWriteStream(file));
  const size = (await stat(file)).size;

  const plain = await plainCopy(file, join(folder, 'copy.csv'));
  const server = await startServer();
  try {
    await upload(server.url, join(import.meta.dirname, '../examples/penguins.csv'));
    const idle = await memoryOf(server.pid);
    const started = performance.now();
    const answer = await upload(server.url, file);
    const seconds = (performance.now() - started) / 1000;
    const after = await memoryOf(server.pid);
    console.log(answer.slice(0, 200));
    printTable(
      `${megabytes(size)} MB upload`,
      ['way', 'seconds', 'MB/s', 'peak MB', 'over idle MB'],
      [
        [
          'cat | node -> disk',
          plain.seconds.toFixed(2),
          (size / 1e6 / plain.seconds).toFixed(0),
          megabytes(plain.peak),
          '',
        ],
        [
          'uploadDataset',
          seconds.toFixed(2),
          (size / 1e6 / seconds).toFixed(0),
          megabytes(after.peak),
          megabytes(after.peak - idle.now),
        ],
      ],
    );
  } finally {
    await server.stop();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

function* tableOf(bytes: number): Generator<string> {
  yield 'id,age,income,city,comment,label\n';
  let row = 0;
  for (let written = 0; written < bytes; ) {
    const lines: string[] = [];
    for (let line = 0; line < 2000; line++, row++) {
      lines.push(
        `${row},${row % 90},${(row * 37) % 100_000}.5,"city, ${row % 500}","a ""quoted"" word ${row}",${row % 2}\n`,
      );
    }
    const block = lines.join('');
    written += block.length;
    yield block;
  }
}

async function plainCopy(from: string, to: string): Promise<{ seconds: number; peak: number }> {
  const script = `const fs=require('fs');process.stdin.pipe(fs.createWriteStream(${JSON.stringify(to)})).on('finish',()=>process.stderr.write(String(process.resourceUsage().maxRSS*1024)))`;
  const started = performance.now();
  const child = spawn('sh', ['-c', `cat "$0" | "$1" -e "$2"`, from, process.execPath, script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let peak = '';
  child.stderr.on('data', (chunk: Buffer) => {
    peak += chunk.toString();
  });
  await new Promise((resolve) => child.once('close', resolve));
  return { seconds: (performance.now() - started) / 1000, peak: Number(peak) };
}

/** A GraphQL multipart request, streamed from disk. */
async function upload(url: string, file: string): Promise<string> {
  const boundary = 'sproutml-bench-boundary';
  const operations = JSON.stringify({
    query:
      'mutation ($input: UploadDatasetInput!) { uploadDataset(input: $input) { __typename ... on Error { code message } ... on UploadDatasetSuccess { dataset { rowCount size sha256 } } } }',
    variables: { input: { file: null } },
  });
  const part = (name: string, extra = '') =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${extra}\r\n\r\n`;
  const head = `${part('operations')}${operations}\r\n${part('map')}{"0":["variables.input.file"]}\r\n${part('0', '; filename="table.csv"\r\nContent-Type: text/csv')}`;
  return await new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method: 'POST',
        headers: {
          'content-type': `multipart/form-data; boundary=${boundary}`,
          'x-graphql-yoga-csrf': '1',
          accept: 'application/json',
        },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve(body));
      },
    );
    outgoing.on('error', reject);
    outgoing.write(head);
    const content = createReadStream(file, { highWaterMark: 256 * 1024 });
    content.on('error', reject);
    content.on('end', () => outgoing.end(`\r\n--${boundary}--\r\n`));
    content.pipe(outgoing, { end: false });
  });
}
