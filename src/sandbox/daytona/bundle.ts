import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

const TOOLKIT = resolve(import.meta.dirname, '../../../toolkit/sproutml_toolkit');
const INSIDE = join(import.meta.dirname, 'inside');
const BLOCK = 512;

/** What every sandbox is given first: our programs that run inside, and the toolkit, as one `.tar.gz`. */
export async function makeBundle(): Promise<Buffer> {
  const files = [
    ...(await pythonFiles(INSIDE, 'inside')),
    ...(await pythonFiles(TOOLKIT, 'toolkit/sproutml_toolkit')),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  const entries = files.flatMap(({ name, content }) => [
    header(name, content.length),
    content,
    Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
  ]);
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]));
}

/** Files of any kind but what Python compiled for itself. */
async function pythonFiles(folder: string, as: string): Promise<{ name: string; content: Buffer }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('__pycache__'))
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return { name: join(as, relative(folder, path)), content: await readFile(path) };
      }),
  );
}

/** A ustar header: a plain file that all may read. */
function header(name: string, size: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new Error(`${name} is too long a name for the bundle`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(name, 0);
  block.write(octal(0o644, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
