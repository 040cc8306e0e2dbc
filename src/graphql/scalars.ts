import { GraphQLError } from 'graphql';
import { DateTimeResolver, JSONResolver, URLResolver } from 'graphql-scalars';
import { GraphQLUpload } from 'graphql-upload-minimal';
import { builder } from './builder.ts';

builder.addScalarType('DateTime', DateTimeResolver, {
  description: 'A moment in UTC, RFC 3339: `2026-03-01T12:30:00.000Z`.',
});
builder.addScalarType('URL', URLResolver, { description: 'An absolute URL.' });
builder.addScalarType('JSON', JSONResolver, { description: 'Any JSON value.' });
builder.addScalarType('Upload', GraphQLUpload, {
  description: 'A file, sent as the GraphQL multipart request specification says.',
});

builder.scalarType('ByteSize', {
  description: 'A whole number of bytes, up to 2^53; `Int` ends at 2 GiB.',
  serialize: byteSize,
  parseValue: byteSize,
});

function byteSize(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new GraphQLError(`ByteSize cannot represent ${String(value)}: a whole number of bytes is expected.`);
}
