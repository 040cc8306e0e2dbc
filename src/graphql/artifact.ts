import { DEFAULT_EXPIRY_SECONDS, MAX_EXPIRY_SECONDS } from '../artifacts/signed-url.ts';
import { JobNotFoundError } from '../domain/errors.ts';
import type { ArtifactId } from '../domain/ids.ts';
import { builder } from './builder.ts';
import { ArtifactConnection } from './connections.ts';
import { ArtifactKindEnum } from './enums.ts';
import { parseId } from './global-id.ts';
import { checkLimit, connectionComplexity, toConnection, toPageRequest } from './page.ts';
import { ArtifactRef, JobRef } from './refs.ts';

const SignedUrl = builder.objectRef<{ url: URL; expiresAt: Date }>('SignedUrl').implement({
  description: 'A download link that needs nothing else, for a short time.',
  fields: (t) => ({
    url: t.expose('url', { type: 'URL', description: 'GET it; ranges and ETags work.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it stops working.' }),
  }),
});

builder.node(ArtifactRef, {
  description: 'A file that a job left.',
  id: { resolve: (artifact) => artifact.id, description: 'Unique over all types; opaque.' },
  loadOne: (id, { jobs }) => jobs.artifact(id as ArtifactId),
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'contentType' in value,
  fields: (t) => ({
    name: t.exposeString('name', { description: 'File name, unique within the job.' }),
    kind: t.expose('kind', { type: ArtifactKindEnum, description: 'What the file is for.' }),
    contentType: t.exposeString('contentType', { description: 'Media type.' }),
    size: t.expose('size', { type: 'ByteSize', description: 'Size of the file.' }),
    sha256: t.exposeString('sha256', { description: 'SHA-256 of the file, in hex.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was saved.' }),
    job: t.field({
      type: JobRef,
      description: 'The job that left it.',
      resolve: async ({ jobId }, _args, { jobs }) => {
        const job = await jobs.job(jobId);
        if (job === null) throw new JobNotFoundError(jobId);
        return job;
      },
    }),
    signedUrl: t.field({
      type: SignedUrl,
      description: 'A link to download the file with.',
      args: {
        expiresInSeconds: t.arg.int({
          description: `How long the link works: 1 to ${MAX_EXPIRY_SECONDS} seconds.`,
          defaultValue: DEFAULT_EXPIRY_SECONDS,
        }),
      },
      resolve: (artifact, { expiresInSeconds }, { signer, origin }) => {
        const seconds = expiresInSeconds ?? DEFAULT_EXPIRY_SECONDS;
        const { path, expiresAt } = signer.sign(
          artifact,
          checkLimit('expiresInSeconds', seconds, MAX_EXPIRY_SECONDS),
        );
        return { url: new URL(origin + path), expiresAt };
      },
    }),
  }),
});

builder.queryFields((t) => ({
  artifacts: t.connection(
    {
      type: ArtifactRef,
      description: 'The files a job left, newest first.',
      complexity: connectionComplexity,
      args: {
        jobId: t.arg.id({ required: true, description: 'The id of the job.' }),
        kinds: t.arg({ type: [ArtifactKindEnum], description: 'Only these kinds.' }),
      },
      resolve: async (_root, args, { jobs }) => {
        const id = parseId('Job', args.jobId);
        if (id === null || (await jobs.job(id)) === null) throw new JobNotFoundError(args.jobId);
        return toConnection(await jobs.artifacts(id, args.kinds ?? null, toPageRequest(args)));
      },
    },
    ArtifactConnection,
  ),
  artifact: t.field({
    type: ArtifactRef,
    nullable: true,
    description: 'A file of a job by its name; null when there is none.',
    args: {
      jobId: t.arg.id({ required: true, description: 'The id of the job.' }),
      name: t.arg.string({ required: true, description: 'The file name, such as `report.html`.' }),
    },
    resolve: (_root, args, { jobs }) => {
      const id = parseId('Job', args.jobId);
      return id === null ? null : jobs.artifactByName(id, args.name);
    },
  }),
}));
