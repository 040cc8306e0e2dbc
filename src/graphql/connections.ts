import { builder } from './builder.ts';
import { ArtifactRef, DatasetRef, JobRef } from './refs.ts';

/** One connection type per kind of row, whichever field returns it. */
export const JobConnection = builder.connectionObject(
  { type: JobRef, name: 'JobConnection', description: 'A page of jobs.' },
  { name: 'JobEdge', description: 'A job and where it stands in the list.' },
);

export const DatasetConnection = builder.connectionObject(
  { type: DatasetRef, name: 'DatasetConnection', description: 'A page of datasets.' },
  { name: 'DatasetEdge', description: 'A dataset and where it stands in the list.' },
);

export const ArtifactConnection = builder.connectionObject(
  { type: ArtifactRef, name: 'ArtifactConnection', description: 'A page of artifacts.' },
  { name: 'ArtifactEdge', description: 'An artifact and where it stands in the list.' },
);
