import {
  ApiKeyNotFoundError,
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

type ErrorClass<E extends SproutError = SproutError> = abstract new (...args: never[]) => E;

/** A failure as a value: an executor takes an Error it is handed for one that was thrown. */
class Expected<E extends SproutError> {
  readonly failure: E;
  constructor(failure: E) {
    this.failure = failure;
  }
}
type ExpectedOf<E> = E extends SproutError ? Expected<E> : never;

/** Failures a client should expect, as types of the result unions. Everything else is a top-level GraphQL error. */
export const ErrorInterface = builder.interfaceRef<Expected<SproutError>>('Error').implement({
  description: 'An expected failure: what happened, why, and what to do.',
  fields: (t) => ({
    code: t.string({
      description: 'Stable name of the failure, in capitals: branch on this.',
      resolve: ({ failure }) => failure.code,
    }),
    message: t.string({
      description: 'What happened, for people.',
      resolve: ({ failure }) => failure.message,
    }),
    hint: t.string({
      description: 'What to do about it.',
      nullable: true,
      resolve: ({ failure }) => failure.hint ?? null,
    }),
  }),
});

const errorRef = <E extends SproutError>(name: string) => builder.objectRef<Expected<E>>(name);
const isExpected = (errorClass: ErrorClass) => (value: unknown) =>
  value instanceof Expected && value.failure instanceof errorClass;

export const TargetNotFoundErrorType = errorRef<TargetNotFoundError>('TargetNotFoundError').implement({
  isTypeOf: isExpected(TargetNotFoundError),
  description: 'The table has no column of that name.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    columns: t.stringList({
      description: 'The columns there are.',
      resolve: ({ failure }) => [...failure.columns],
    }),
    suggestion: t.string({
      description: 'The column whose name is nearest to the one given.',
      nullable: true,
      resolve: ({ failure }) => failure.suggestion,
    }),
  }),
});

export const InvalidDatasetErrorType = errorRef<InvalidDatasetError>('InvalidDatasetError').implement({
  isTypeOf: isExpected(InvalidDatasetError),
  description: 'The file is not a table that can be trained on. Nothing was stored.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    line: t.int({
      description: 'The line of the file at fault, counted from 1.',
      nullable: true,
      resolve: ({ failure }) => (typeof failure.details.line === 'number' ? failure.details.line : null),
    }),
  }),
});

export const InvalidOptionsErrorType = errorRef<InvalidOptionsError>('InvalidOptionsError').implement({
  isTypeOf: isExpected(InvalidOptionsError),
  description: 'The options contradict each other, the table or the limits of this server.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    field: t.string({
      description: 'The input field at fault.',
      nullable: true,
      resolve: ({ failure }) => (typeof failure.details.field === 'string' ? failure.details.field : null),
    }),
  }),
});

export const DatasetNotFoundErrorType = errorRef<DatasetNotFoundError>('DatasetNotFoundError').implement({
  isTypeOf: isExpected(DatasetNotFoundError),
  description: 'There is no dataset with that id.',
  interfaces: [ErrorInterface],
});

export const JobNotFoundErrorType = errorRef<JobNotFoundError>('JobNotFoundError').implement({
  isTypeOf: isExpected(JobNotFoundError),
  description: 'There is no job with that id.',
  interfaces: [ErrorInterface],
});

export const JobStateErrorType = errorRef<JobStateError>('JobStateError').implement({
  isTypeOf: isExpected(JobStateError),
  description: 'The job is not in a state that allows this.',
  interfaces: [ErrorInterface],
});

export const ApiKeyNotFoundErrorType = errorRef<ApiKeyNotFoundError>('ApiKeyNotFoundError').implement({
  isTypeOf: isExpected(ApiKeyNotFoundError),
  description: 'There is no API key with that id.',
  interfaces: [ErrorInterface],
});

export const QuotaExceededErrorType = errorRef<QuotaExceededError>('QuotaExceededError').implement({
  isTypeOf: isExpected(QuotaExceededError),
  description: 'A limit of this server is reached. Nothing was stored.',
  interfaces: [ErrorInterface],
});

/** Runs `work` and hands back, as a value of the result union, any failure that is one of `expected`. */
export async function orExpected<T, const E extends readonly ErrorClass[]>(
  expected: E,
  work: () => Promise<T>,
): Promise<T | ExpectedOf<InstanceType<E[number]>>> {
  try {
    return await work();
  } catch (error) {
    if (!expected.some((errorClass) => error instanceof errorClass)) throw error;
    return new Expected(error as SproutError) as ExpectedOf<InstanceType<E[number]>>;
  }
}
