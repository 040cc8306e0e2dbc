import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { printSchema } from 'graphql';
import { schema } from './schema.ts';

/** The schema as it is committed in schema.graphql. */
export const printedSchema = (): string => `${printSchema(schema)}\n`;

if (import.meta.main) {
  const path = fileURLToPath(new URL('../../schema.graphql', import.meta.url));
  await writeFile(path, printedSchema());
  process.stdout.write(`wrote ${path}\n`);
}
