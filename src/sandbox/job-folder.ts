import { randomUUID } from 'node:crypto';
import { close, createReadStream, fstat, open as openFile } from 'node:fs';
import { constants, type FileHandle, lchown, mkdir, open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { SproutError } from '../domain/errors.ts';
import { SANDBOX_FOLDERS } from './sandbox.ts';

/**
 * Files in and out of a folder that hostile code may be rearranging at this moment. Every folder on the way is opened
 * without following links and the next name is looked up in the open folder, so that nothing can be swapped in between.
 */
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

const openDescriptor = promisify(openFile);
const statDescriptor = promisify(fstat);
const closeDescriptor = promisify(close);

export interface Owner {
  uid: number;
  gid: number;
}

/** Streams `content` into `path` under `root`. Whole or not at all; an existing file is replaced. */
export async function putFile(
  root: string,
  path: string,
  content: Readable,
  owner: Owner | null,
): Promise<void> {
  try {
    await writeWhole(root, path, content, owner);
  } finally {
    // Refused before it was read, it would stay open.
    content.destroy();
  }
}

async function writeWhole(root: string, path: string, content: Readable, owner: Owner | null): Promise<void> {
  const names = splitPath(path);
  const name = names.pop() ?? '';
  const folder = await openFolder(root, names, { owner });
  try {
    const temporary = beneath(folder, `.${randomUUID()}.part`);
    const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    try {
      await file.writeFile(content);
      if (owner !== null) await file.chown(owner.uid, owner.gid);
      await rename(temporary, beneath(folder, name));
    } catch (error) {
      await unlink(temporary);
      throw error;
    } finally {
      await file.close();
    }
  } finally {
    await folder.handle.close();
  }
}

/** Opens a regular file under `root` for reading. The stream ends after `size` bytes and closes the file. */
export async function getFile(root: string, path: string): Promise<{ size: number; stream: Readable }> {
  const names = splitPath(path);
  const name = names.pop() ?? '';
  const folder = await openFolder(root, names, null);
  // A bare descriptor: a FileHandle that a caller forgets with its stream would end the server at garbage collection.
  let file: number;
  try {
    // Without O_NONBLOCK, opening a pipe that no one writes to would wait for ever.
    file = await openDescriptor(beneath(folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    throw pathError(path, error);
  } finally {
    await folder.handle.close();
  }
  try {
    const stat = await statDescriptor(file);
    if (!stat.isFile()) throw refused(path, 'it is not a regular file');
    if (stat.nlink !== 1) throw refused(path, 'it has a second name (a hard link)');
    if (stat.size > 0) {
      return { size: stat.size, stream: createReadStream('', { fd: file, start: 0, end: stat.size - 1 }) };
    }
    await closeDescriptor(file);
    return { size: 0, stream: Readable.from([]) };
  } catch (error) {
    await closeDescriptor(file);
    throw error;
  }
}

/** The names of a path, after the rule: relative, in one of the five folders, nothing that climbs or hides. */
export function splitPath(path: string): string[] {
  const names = path.split('/');
  if (path.length > 1024 || names.length > 32) throw refused(path.slice(0, 100), 'it is too long');
  if (names.length < 2 || !(SANDBOX_FOLDERS as readonly string[]).includes(names[0] ?? '')) {
    throw refused(path, `it must lie in one of ${SANDBOX_FOLDERS.join(', ')}`);
  }
  for (const name of names) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be in a name
    if (name === '' || name === '.' || name === '..' || name.length > 255 || /[\u0000-\u001f\\]/.test(name)) {
      throw refused(path, 'a part of it is empty, climbs, or holds a control character');
    }
  }
  return names;
}

/** An open folder, and where it was found. */
interface Folder {
  handle: FileHandle;
  path: string;
}

/** Opens the folder `names` leads to, one step at a time; makes what is missing when `create` says so. */
async function openFolder(
  root: string,
  names: readonly string[],
  create: { owner: Owner | null } | null,
): Promise<Folder> {
  let folder: Folder = { handle: await open(root, O_RDONLY | O_DIRECTORY), path: root };
  for (const name of names) {
    const outer = folder;
    try {
      if (create !== null) await makeFolder(outer, name, create.owner);
      const handle = await open(beneath(outer, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      folder = { handle, path: join(outer.path, name) };
    } catch (error) {
      throw pathError(names.join('/'), error);
    } finally {
      await outer.handle.close();
    }
  }
  return folder;
}

async function makeFolder(outer: Folder, name: string, owner: Owner | null): Promise<void> {
  const path = beneath(outer, name);
  try {
    await mkdir(path, 0o755);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  if (owner !== null) await lchown(path, owner.uid, owner.gid);
}

/** A name inside an open folder. Linux looks it up in the folder itself, wherever that has been moved since. */
function beneath(folder: Folder, name: string): string {
  return process.platform === 'linux' ? `/proc/self/fd/${folder.handle.fd}/${name}` : join(folder.path, name);
}

export function missing(path: string, cause?: unknown): SproutError {
  return new SproutError('SANDBOX_FILE_NOT_FOUND', `There is no file "${path}" in the sandbox.`, {
    hint: 'The command that should have written it may have failed: look at its log lines.',
    cause,
  });
}

function pathError(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') {
    return missing(path, error);
  }
  if (code === 'ELOOP' || code === 'EMLINK') return refused(path, 'it is a symbolic link');
  if (code === 'ENOTDIR') return refused(path, 'a folder on the way is a link or a file');
  if (code === 'ENXIO') return refused(path, 'it is not a regular file');
  return error;
}

/** The error for a path that may not cross. */
export function refused(path: string, why: string): SproutError {
  return new SproutError('SANDBOX_PATH_REFUSED', `"${path}" can't cross the sandbox's border: ${why}.`, {
    hint: 'Only regular files by plain relative names go in or out.',
  });
}
