import { z } from 'zod';
import { list } from './config-values.ts';
import { WEBHOOK_SECRET_FORM } from './domain/webhooks.ts';

/** What whoever runs a server may set: how long things are kept, how it is watched, whom it tells. */
export const operationsVariables = {
  RETENTION_DAYS: days().describe(
    'Days after its end that a job is deleted, with its files; default: never.',
  ),
  ARTIFACT_RETENTION_DAYS: days().describe(
    'Days after the end of their job that files are deleted while the job stays; default: never.',
  ),
  DATASET_RETENTION_DAYS: days().describe(
    'Days after its upload that a dataset which no job uses is deleted; default: never.',
  ),
  DISK_RESERVE_BYTES: z.coerce
    .number()
    .int()
    .min(0)
    .default(256 * 1024 ** 2)
    .describe('Free space under which uploads and sandboxes are stopped, so that the database can go on.'),
  METRICS_TOKEN: z
    .string()
    .min(16)
    .optional()
    .describe('Bearer token for /metrics; without it only direct requests from this machine are answered.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('OTLP/HTTP collector that traces are sent to; default: none are made.'),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .optional()
    .describe('Headers for the collector: `name=value`, comma-separated.'),
  OTEL_SERVICE_NAME: z.string().default('sproutml').describe('What this server is called in traces.'),
  WEBHOOK_SECRET: z
    .string()
    .regex(WEBHOOK_SECRET_FORM, 'must be whsec_ and the base64 of 24 to 64 random bytes')
    .optional()
    .describe('Signs webhooks of jobs that bring no secret of their own: `whsec_` and base64.'),
  WEBHOOK_PRIVATE_HOSTS: list()
    .transform((hosts) => hosts.map((host) => host.toLowerCase()))
    .describe('Comma-separated hosts that webhooks may reach at private addresses, and over plain http.'),
};

function days() {
  return z.coerce.number().positive().optional();
}

/** Variables whose values may be shown to nobody, logs included: by their names, so that a new one is not forgotten. */
const SECRET_NAME = /(SECRET|TOKEN|KEY|PASSWORD|HEADERS)$|^(DATABASE|REDIS)_URL$/;

export const isSecret = (name: string): boolean => SECRET_NAME.test(name);

/** The values in a configuration that are secrets. */
export function secretsOf(config: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(config).flatMap(([name, value]) =>
    isSecret(name) && typeof value === 'string' && value !== '' ? [value] : [],
  );
}
