import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gunzipSync } from 'node:zlib';
import type { Dialect } from '../../../src/domain/records.ts';
import type { NewDataset } from '../../../src/jobs/jobs.ts';
import { environmentDirectory } from '../../../src/sandbox/python-environment.ts';

const TOOLKIT = join(import.meta.dirname, '../../../toolkit');

const PROGRAM = `
import json, sys
from sproutml_toolkit.table import read_table
for line in sys.stdin:
    request = json.loads(line)
    try:
        table = read_table(request["path"], **request["dialect"])
        answer = {"columns": [str(name) for name in table.columns], "rows": len(table)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
`;

/**
 * The toolkit, asked what it finds in each accepted file. It is what a job reads the file with, so a table that is
 * accepted here and read otherwise there has its target looked for in the wrong column.
 */
export function openToolkitReader() {
  const python = join(environmentDirectory({}), 'bin/python');
  const child = spawn(python, ['-c', PROGRAM], {
    env: { PATH: process.env.PATH, PYTHONPATH: TOOLKIT },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  return {
    async read(path: string, { dialect, columns, rowCount }: NewDataset): Promise<void> {
      if (await isBeyondPandas(path, dialect)) return;
      child.stdin.write(`${JSON.stringify({ path, dialect })}\n`);
      const { value, done } = await answers.next();
      assert.ok(done !== true, 'the toolkit has ended');
      assert.deepEqual(JSON.parse(value), { columns: columns.map(({ name }) => name), rows: rowCount });
    },

    async close(): Promise<void> {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

/** Behind a blank line that ends with a lone CR, pandas drops the first byte of a row when it is the delimiter. */
async function isBeyondPandas(path: string, { compression }: Dialect): Promise<boolean> {
  const file = await readFile(path);
  return /\r[ \t]*\r/.test((compression === 'gzip' ? gunzipSync(file) : file).toString('latin1'));
}
