import {
  DatasetNotFoundError,
  InvalidDatasetError,
  InvalidOptionsError,
  JobNotFoundError,
  JobStateError,
  QuotaExceededError,
  type SproutError,
  TargetNotFoundError,
} from '../domain/errors.ts';
import { builder } from './builder.ts';

/** Failures a client should expect, as types of the result unions. Everything else is a top-level GraphQL error. */
export const ErrorInterface = builder.interfaceRef<SproutError>('Error').implement({
  description: 'An expected failure: what happened, why, and what to do.',
  fields: (t) => ({
    code: t.exposeString('code', { description: 'Stable name of the failure, in capitals: branch on this.' }),
    message: t.exposeString('message', { description: 'What happened, for people.' }),
    hint: t.string({
      description: 'What to do about it.',
      nullable: true,
      resolve: (error) => error.hint ?? null,
    }),
  }),
});

export const TargetNotFoundErrorType = builder.objectType(TargetNotFoundError, {
  name: 'TargetNotFoundError',
  description: 'The table has no column of that name.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    columns: t.stringList({
      description: 'The columns there are.',
      resolve: (error) => [...error.columns],
    }),
    suggestion: t.string({
      description: 'The column whose name is nearest to the one given.',
      nullable: true,
      resolve: (error) => error.suggestion,
    }),
  }),
});

export const InvalidDatasetErrorType = builder.objectType(InvalidDatasetError, {
  name: 'InvalidDatasetError',
  description: 'The file is not a table that can be trained on. Nothing was stored.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    line: t.int({
      description: 'The line of the file at fault, counted from 1.',
      nullable: true,
      resolve: (error) => (typeof error.details.line === 'number' ? error.details.line : null),
    }),
  }),
});

export const InvalidOptionsErrorType = builder.objectType(InvalidOptionsError, {
  name: 'InvalidOptionsError',
  description: 'The options contradict each other, the table or the limits of this server.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    field: t.string({
      description: 'The input field at fault.',
      nullable: true,
      resolve: (error) => (typeof error.details.field === 'string' ? error.details.field : null),
    }),
  }),
});

export const DatasetNotFoundErrorType = builder.objectType(DatasetNotFoundError, {
  name: 'DatasetNotFoundError',
  description: 'There is no dataset with that id.',
  interfaces: [ErrorInterface],
});

export const JobNotFoundErrorType = builder.objectType(JobNotFoundError, {
  name: 'JobNotFoundError',
  description: 'There is no job with that id.',
  interfaces: [ErrorInterface],
});

export const JobStateErrorType = builder.objectType(JobStateError, {
  name: 'JobStateError',
  description: 'The job is not in a state that allows this.',
  interfaces: [ErrorInterface],
});

export const QuotaExceededErrorType = builder.objectType(QuotaExceededError, {
  name: 'QuotaExceededError',
  description: 'A limit of this server is reached. Nothing was stored.',
  interfaces: [ErrorInterface],
});

type ErrorClass = abstract new (...args: never[]) => SproutError;

/** Runs `work` and hands back, as a value of the result union, any failure that is one of `expected`. */
export async function orExpected<T, const E extends readonly ErrorClass[]>(
  expected: E,
  work: () => Promise<T>,
): Promise<T | InstanceType<E[number]>> {
  try {
    return await work();
  } catch (error) {
    const isExpected = expected.some((errorClass) => error instanceof errorClass);
    if (isExpected) return error as InstanceType<E[number]>;
    throw error;
  }
}
