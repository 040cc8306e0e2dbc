import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { is } from 'drizzle-orm';
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core';
import { expect, it } from 'vitest';
import { openDatabase } from '../../src/db/client.ts';
import * as schema from '../../src/db/schema.ts';

it('the migrations make exactly the tables and columns of the schema (else: npm run migrations)', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sproutml-schema-'));
  await openDatabase(dataDir).close();
  const file = new Sqlite(join(dataDir, 'sproutml.db'), { readonly: true });
  const tables = Object.values(schema).filter((value) => is(value, SQLiteTable));
  expect(tables.length).toBeGreaterThan(0);
  for (const table of tables) {
    const { name, columns, indexes } = getTableConfig(table);
    const made = file.pragma(`table_info(${name})`) as { name: string; type: string; notnull: 0 | 1 }[];
    const wanted = columns.map((column) => [column.name, column.getSQLType(), column.notNull]);
    expect(made.map((column) => [column.name, column.type.toLowerCase(), column.notnull === 1])).toEqual(
      wanted,
    );
    const madeIndexes = file.pragma(`index_list(${name})`) as { name: string; origin: string }[];
    expect(madeIndexes.flatMap((index) => (index.origin === 'c' ? [index.name] : [])).sort()).toEqual(
      indexes.map((index) => index.config.name).sort(),
    );
  }
  file.close();
  await rm(dataDir, { recursive: true, force: true });
});
