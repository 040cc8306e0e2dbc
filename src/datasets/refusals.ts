import { InvalidDatasetError } from '../domain/errors.ts';

export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

export const empty = (message: string) =>
  new InvalidDatasetError('EMPTY_FILE', message, { hint: 'Upload a CSV with a header and rows.' });

export const tooManyColumns = (message: string) =>
  new InvalidDatasetError('TOO_MANY_COLUMNS', message, {
    hint: 'See that rows end with line breaks, keep the columns that matter, or raise MAX_COLUMNS on the server.',
  });

export const corruptGzip = (reason: string, cause?: unknown) =>
  new InvalidDatasetError('CORRUPT_GZIP', `The gzip archive is damaged: ${reason}.`, {
    hint: 'Compress the file again, or upload it uncompressed.',
    cause,
  });
