import { type ArtifactId, type DatasetId, isUuid, type JobId } from '../domain/ids.ts';

/**
 * Global ids read `job_2f1c…`: unique over all types as Relay asks, and still the id that stands in logs and on disk.
 * Clients treat them as opaque; for people at a terminal the bare UUID is accepted too wherever the type is clear.
 */
const PREFIXES = { Job: 'job', Dataset: 'dataset', Artifact: 'artifact' } as const;
export type NodeType = keyof typeof PREFIXES;
interface NodeIds {
  Job: JobId;
  Dataset: DatasetId;
  Artifact: ArtifactId;
}

const TYPES = new Map<string, NodeType>([
  ['job', 'Job'],
  ['dataset', 'Dataset'],
  ['artifact', 'Artifact'],
]);

export function encodeGlobalId(type: string, id: string | number | bigint): string {
  return `${PREFIXES[type as NodeType]}_${id}`;
}

/** The type and bare id of a global id, or null for anything else: a forged id is the same as one that is not there. */
export function decodeGlobalId(globalId: string): { typename: NodeType; id: string } | null {
  const underscore = globalId.indexOf('_');
  const typename = TYPES.get(globalId.slice(0, underscore));
  const id = globalId.slice(underscore + 1);
  return typename && isUuid(id) ? { typename, id } : null;
}

/** The id of a node of a known type, from its global id or bare UUID; null when it can't be one. */
export function parseId<T extends NodeType>(type: T, text: string): NodeIds[T] | null {
  if (isUuid(text)) return text as NodeIds[T];
  const decoded = decodeGlobalId(text);
  return decoded?.typename === type ? (decoded.id as NodeIds[T]) : null;
}
