import { receiveDataset } from '../datasets/receive.ts';
import { InvalidDatasetError, QuotaExceededError } from '../domain/errors.ts';
import type { DatasetId } from '../domain/ids.ts';
import type { DatasetColumn, Dialect } from '../domain/records.ts';
import { builder } from './builder.ts';
import { DatasetConnection } from './connections.ts';
import { ColumnTypeEnum } from './enums.ts';
import { InvalidDatasetErrorType, orExpected, QuotaExceededErrorType } from './errors.ts';
import { parseId } from './global-id.ts';
import { connectionComplexity, toConnection, toPageRequest } from './page.ts';
import { DatasetRef } from './refs.ts';

const Column = builder.objectRef<DatasetColumn>('Column').implement({
  description: 'A column of a dataset. Only its name is known until a job has profiled the table.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name as it stands in the header.' }),
    type: t.expose('type', {
      type: ColumnTypeEnum,
      description: 'What the column holds.',
      nullable: true,
    }),
    missing: t.exposeInt('missing', { description: 'Rows without a value.', nullable: true }),
    distinct: t.exposeInt('distinct', { description: 'Different values.', nullable: true }),
  }),
});

const DialectType = builder.objectRef<Dialect>('Dialect').implement({
  description: "How the file's bytes are read as a table.",
  fields: (t) => ({
    delimiter: t.exposeString('delimiter', { description: 'What stands between two fields.' }),
    encoding: t.exposeString('encoding', { description: 'Character encoding: utf-8, utf-8-sig or latin-1.' }),
    compression: t.exposeString('compression', { description: '`gzip`, or null for none.', nullable: true }),
  }),
});

builder.node(DatasetRef, {
  description: 'An uploaded table. Never changes, and can feed many jobs.',
  id: { resolve: (dataset) => dataset.id, description: 'Unique over all types; opaque.' },
  loadMany: (ids, { jobs }) => jobs.datasets(ids as DatasetId[]),
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'dialect' in value,
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name of the uploaded file, or the one given.' }),
    columns: t.field({
      type: [Column],
      description: 'The columns, in the order of the file.',
      resolve: (dataset) => [...dataset.columns],
    }),
    rowCount: t.exposeInt('rowCount', { description: 'Rows below the header.', nullable: true }),
    size: t.expose('size', { type: 'ByteSize', description: 'Size of the file as uploaded.' }),
    sha256: t.exposeString('sha256', { description: 'SHA-256 of the file as uploaded, in hex.' }),
    dialect: t.expose('dialect', { type: DialectType, description: 'How the file is read.' }),
    owner: t.exposeString('owner', { description: 'Whose it is.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was uploaded.' }),
  }),
});

builder.queryFields((t) => ({
  dataset: t.field({
    type: DatasetRef,
    nullable: true,
    description: 'A dataset by its id; null when there is none.',
    args: { id: t.arg.id({ required: true, description: 'The id of the dataset.' }) },
    resolve: (_root, args, { jobs }) => {
      const id = parseId('Dataset', args.id);
      return id === null ? null : jobs.dataset(id);
    },
  }),
  datasets: t.connection(
    {
      type: DatasetRef,
      description: 'All datasets, newest first.',
      complexity: connectionComplexity,
      resolve: async (_root, args, { jobs }) => toConnection(await jobs.listDatasets(toPageRequest(args))),
    },
    DatasetConnection,
  ),
}));

const UploadDatasetInput = builder.inputType('UploadDatasetInput', {
  description: 'A table to keep for later jobs.',
  fields: (t) => ({
    file: t.field({
      type: 'Upload',
      required: true,
      description: 'A CSV file (comma, semicolon, tab or pipe), plain or gzipped.',
    }),
    name: t.string({ description: 'Name to show; default: the name of the file.' }),
  }),
});

const UploadDatasetSuccess = builder.objectRef<{ datasetId: DatasetId }>('UploadDatasetSuccess').implement({
  description: 'The table is stored.',
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'datasetId' in value,
  fields: (t) => ({
    dataset: t.field({
      type: DatasetRef,
      description: 'The new dataset.',
      resolve: ({ datasetId }, _args, { datasetLoader }) => datasetLoader.load(datasetId),
    }),
  }),
});

const UploadDatasetResult = builder.unionType('UploadDatasetResult', {
  description: 'The stored table, or why it was refused.',
  types: [UploadDatasetSuccess, InvalidDatasetErrorType, QuotaExceededErrorType],
});

builder.mutationField('uploadDataset', (t) =>
  t.field({
    type: UploadDatasetResult,
    description: 'Stores a table, checked while it streams in, for `startTraining(datasetId:)`.',
    args: {
      input: t.arg({ type: UploadDatasetInput, required: true, description: 'The table.' }),
    },
    resolve: (_root, { input }, { jobs, blobs, config }) =>
      orExpected([InvalidDatasetError, QuotaExceededError], async () => {
        const received = await receiveDataset(input.file, input.name ?? null, {
          jobs,
          blobs,
          limits: config,
        });
        try {
          const dataset = await jobs.addDataset(received.dataset);
          return { datasetId: dataset.id };
        } catch (error) {
          await jobs.discardBlob(received.dataset.blobKey);
          throw error;
        }
      }),
  }),
);
