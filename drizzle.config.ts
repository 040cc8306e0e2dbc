import { defineConfig } from 'drizzle-kit';

/** `npm run migrations` writes the difference between the schema and the last migration; the server applies it at boot. */
export default defineConfig({
  dialect: 'sqlite',
  schema: './src/db/schema.ts',
  out: './src/db/migrations',
});
