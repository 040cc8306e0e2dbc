import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { desc, eq, sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Database } from '../db/client.ts';
import { apiKeys } from '../db/schema.ts';
import { ApiKeyNotFoundError, InvalidOptionsError, UnauthenticatedError } from '../domain/errors.ts';
import type { ApiKeyId, OwnerId } from '../domain/ids.ts';
import type { Scope, Viewer } from '../domain/viewer.ts';

/** What is known of a key: all but its secret. */
export interface ApiKey {
  id: ApiKeyId;
  name: string;
  owner: OwnerId;
  scope: Scope;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  /** To the minute. */
  lastUsedAt: Date | null;
}

export interface NewApiKey {
  name: string;
  owner: string;
  scope: Scope;
  expiresAt: Date | null;
}

/** `sprt_<id>_<secret>`: 64 and 256 random bits in hex, so that a double click selects all of it. */
const TOKEN = /^sprt_([0-9a-f]{16})_([0-9a-f]{64})$/;
const LONGEST_TEXT = 200;
const NOTE_USE_EVERY_MS = 60_000;

export const looksLikeApiKey = (credential: string): boolean => credential.startsWith('sprt_');

/** API keys: made once shown once, kept as a hash, looked up anew by every request, so that a revocation counts at once. */
export class ApiKeys {
  readonly #database: Database;
  readonly #now: () => Date;
  readonly #logger: Logger | null;
  readonly #find: (id: string) => Promise<typeof apiKeys.$inferSelect | undefined>;

  constructor(parts: { database: Database; now?: () => Date; logger?: Logger }) {
    this.#database = parts.database;
    this.#now = parts.now ?? (() => new Date());
    this.#logger = parts.logger ?? null;
    const query = parts.database.read
      .select()
      .from(apiKeys)
      .where(eq(apiKeys.id, sql.placeholder('id')))
      .prepare();
    this.#find = async (id) => (await query.execute({ id }))[0];
  }

  /** Makes a key; `token` is what its holder sends, and is told here and never again. Rejects with InvalidOptionsError. */
  async create(wanted: NewApiKey): Promise<{ key: ApiKey; token: string }> {
    const now = this.#now();
    checkText('name', wanted.name);
    checkText('owner', wanted.owner);
    if (wanted.expiresAt !== null && !(wanted.expiresAt > now)) {
      throw new InvalidOptionsError('EXPIRY_IN_THE_PAST', 'The key would have expired already.', {
        hint: 'Give a time to come, or none.',
        details: { field: 'expiresAt' },
      });
    }
    const id = randomBytes(8).toString('hex') as ApiKeyId;
    const secret = randomBytes(32).toString('hex');
    const key: ApiKey = {
      id,
      ...wanted,
      owner: wanted.owner as OwnerId,
      createdAt: now,
      revokedAt: null,
      lastUsedAt: null,
    };
    await this.#database.write((tx) => tx.insert(apiKeys).values({ ...key, secretHash: hashOf(secret) }));
    return { key, token: `sprt_${id}_${secret}` };
  }

  /** Newest first, the revoked and expired among them. */
  async list(): Promise<ApiKey[]> {
    const rows = await this.#database.read.select().from(apiKeys).orderBy(desc(apiKeys.createdAt));
    return rows.map(({ secretHash: _secret, ...key }) => key);
  }

  /** From now on the key opens nothing. Once is enough; twice is no error. Rejects with ApiKeyNotFoundError. */
  async revoke(id: string): Promise<ApiKey> {
    return this.#database.write(async (tx) => {
      const [row] = await tx
        .update(apiKeys)
        .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, ${this.#now().getTime()})` })
        .where(eq(apiKeys.id, id as ApiKeyId))
        .returning();
      if (!row) throw new ApiKeyNotFoundError(id);
      const { secretHash: _secret, ...key } = row;
      return key;
    });
  }

  /** Who holds this key. Rejects with UnauthenticatedError. */
  async identify(token: string): Promise<Viewer> {
    const [, id = '', secret = ''] = TOKEN.exec(token) ?? [];
    const row = id === '' ? undefined : await this.#find(id);
    // Compared also where there is no such key: the time taken tells nothing.
    const matches = timingSafeEqual(Buffer.from(hashOf(secret)), Buffer.from(row?.secretHash ?? hashOf('')));
    if (!row || !matches) throw new UnauthenticatedError('There is no such API key.');
    const now = this.#now();
    const refusal = refusalOf(row, now);
    if (refusal !== null) throw new UnauthenticatedError(refusal);
    this.#noteUse(row, now);
    return { owner: row.owner, scope: row.scope, expiresAt: row.expiresAt, keyId: row.id };
  }

  /** Whether a key that was good before still is. */
  async isGood(id: ApiKeyId): Promise<boolean> {
    const row = await this.#find(id);
    return row !== undefined && refusalOf(row, this.#now()) === null;
  }

  /** In the background, and once a minute: a request must not wait for the disk, nor ten thousand of them write. */
  #noteUse(key: ApiKey, now: Date): void {
    if (key.lastUsedAt !== null && now.getTime() - key.lastUsedAt.getTime() < NOTE_USE_EVERY_MS) return;
    this.#database
      .write((tx) => tx.update(apiKeys).set({ lastUsedAt: now }).where(eq(apiKeys.id, key.id)))
      .catch((error: unknown) =>
        this.#logger?.warn({ err: error, keyId: key.id }, 'the use of an API key was not noted'),
      );
  }
}

function refusalOf({ revokedAt, expiresAt }: ApiKey, now: Date): string | null {
  if (revokedAt !== null) return 'The API key was revoked.';
  if (expiresAt !== null && expiresAt <= now) return 'The API key has expired.';
  return null;
}

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

function checkText(field: 'name' | 'owner', text: string): void {
  if (text.trim() !== '' && text.length <= LONGEST_TEXT && !/\p{C}/u.test(text)) return;
  throw new InvalidOptionsError(
    'TEXT_OUT_OF_RANGE',
    `\`${field}\` must have 1 to ${LONGEST_TEXT} characters that can be printed.`,
    { hint: 'Use a short name.', details: { field } },
  );
}
