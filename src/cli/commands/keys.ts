import { mkdir } from 'node:fs/promises';
import { type ApiKey, ApiKeys } from '../../auth/api-keys.ts';
import { readConfig } from '../../config.ts';
import { type Database, openDatabase, openDatabaseBesideServer } from '../../db/client.ts';
import { SproutError } from '../../domain/errors.ts';
import type { Scope } from '../../domain/viewer.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';

const DAY_MS = 24 * 3600 * 1000;

export interface CreateKeyOptions {
  name: string;
  owner: string;
  scope: Scope;
  expiresInDays?: number;
  json?: boolean;
}

/** Makes a key. The key alone goes to stdout, so that it can be piped; what is to be said about it to stderr. */
export async function createKey({ expiresInDays, json, ...wanted }: CreateKeyOptions): Promise<ExitCode> {
  const expiresAt = expiresInDays === undefined ? null : new Date(Date.now() + expiresInDays * DAY_MS);
  const { key, token } = await withKeys((keys) => keys.create({ ...wanted, expiresAt }));
  if (json) {
    console.log(JSON.stringify({ token, key }));
  } else {
    console.log(token);
    console.error(
      `Keep it: it is shown this once. Key ${key.id} is ${key.owner}'s, for ${key.scope.toLowerCase()}.`,
    );
  }
  return EXIT.ok;
}

/** Newest first, the revoked among them. */
export async function listKeys({ json }: { json?: boolean }): Promise<ExitCode> {
  const found = await withKeys((keys) => keys.list());
  if (json) console.log(JSON.stringify(found));
  else if (found.length === 0) console.error('There are none; `sproutml keys create` makes one.');
  else for (const key of found) console.log(line(key));
  return EXIT.ok;
}

export async function revokeKey(id: string): Promise<ExitCode> {
  const key = await withKeys((keys) => keys.revoke(id));
  console.error(`Key ${key.id} (${key.name}, of ${key.owner}) is revoked.`);
  return EXIT.ok;
}

async function withKeys<T>(work: (keys: ApiKeys) => Promise<T>): Promise<T> {
  const { DATA_DIR } = readConfig({ DATA_DIR: process.env.DATA_DIR });
  await mkdir(DATA_DIR, { recursive: true, mode: 0o700 });
  const database = openAnyhow(DATA_DIR);
  try {
    return await work(new ApiKeys({ database }));
  } finally {
    await database.close();
  }
}

function openAnyhow(dataDir: string): Database {
  try {
    return openDatabase(dataDir);
  } catch (error) {
    if (error instanceof SproutError && error.code === 'DATA_DIR_LOCKED')
      return openDatabaseBesideServer(dataDir);
    throw error;
  }
}

function line({ id, name, owner, scope, revokedAt, expiresAt, lastUsedAt }: ApiKey): string {
  const day = (date: Date) => date.toISOString().slice(0, 10);
  const state =
    revokedAt !== null
      ? `revoked ${day(revokedAt)}`
      : expiresAt !== null
        ? `until ${day(expiresAt)}`
        : 'no end';
  const used = lastUsedAt === null ? 'never used' : `last used ${day(lastUsedAt)}`;
  return [id, scope.toLowerCase().padEnd(5), owner, name, state, used].join('  ');
}
