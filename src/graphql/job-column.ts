import type * as records from '../domain/records.ts';
import { builder } from './builder.ts';
import { ColumnRoleEnum, ColumnTypeEnum } from './enums.ts';

const ColumnWarning = builder.objectRef<records.JobColumn['warnings'][number]>('ColumnWarning').implement({
  description: 'What is to be known of a column before the score is believed.',
  fields: (t) => ({
    code: t.exposeString('code', { description: 'Stable name of the warning, in capitals.' }),
    message: t.exposeString('message', { description: 'What was found, for people.' }),
  }),
});

export const JobColumn = builder.objectRef<records.JobColumn>('JobColumn').implement({
  description: 'What became of a column of the table in one job.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name as it stands in the header.' }),
    type: t.expose('type', { type: ColumnTypeEnum, description: 'What the column holds.' }),
    role: t.expose('role', { type: ColumnRoleEnum, description: 'What it is to the job.' }),
    treatment: t.exposeString('treatment', {
      description: 'How it becomes numbers; null until features are planned, and where it is none.',
      nullable: true,
    }),
    reason: t.exposeString('reason', {
      description: 'Why it has its role, or how its cells are read where that was a choice.',
      nullable: true,
    }),
    warnings: t.field({
      type: [ColumnWarning],
      description: 'What gives reason to doubt it, such as `LEAK_LIKELY` or `TARGET_COPY`.',
      resolve: ({ warnings }) => [...warnings],
    }),
  }),
});
