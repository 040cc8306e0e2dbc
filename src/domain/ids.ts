import { randomUUID } from 'node:crypto';

/** Branded ids: one kind can never be passed where another is meant. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };
export type JobId = Brand<string, 'JobId'>;
export type DatasetId = Brand<string, 'DatasetId'>;
export type ArtifactId = Brand<string, 'ArtifactId'>;
/** Whose a dataset or job is: a claim of a token, the owner an API key was made for, or `local`. */
export type OwnerId = Brand<string, 'OwnerId'>;
export type ApiKeyId = Brand<string, 'ApiKeyId'>;
/** Where bytes lie in the blob store: `datasets/<id>`, `artifacts/<job>/<id>`. */
export type BlobKey = Brand<string, 'BlobKey'>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const isUuid = (text: string): boolean => UUID.test(text);

export const newJobId = (): JobId => randomUUID() as JobId;
export const newDatasetId = (): DatasetId => randomUUID() as DatasetId;
export const newArtifactId = (): ArtifactId => randomUUID() as ArtifactId;
