import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import RelayPlugin from '@pothos/plugin-relay';
import { GraphQLError } from 'graphql';
import type { FileUpload } from 'graphql-upload-minimal';
import type { ApiContext } from './context.ts';
import { decodeGlobalId, encodeGlobalId } from './global-id.ts';

/**
 * Most a single operation may cost: each field counts one, each list multiplies by the rows it may return. Enough for the
 * longest page the schema promises of any one list, read whole; too little for a hundred rows of a hundred rows.
 */
const MAX_COMPLEXITY = 20_000;
const MAX_DEPTH = 12;

export interface ApiSchemaTypes {
  Context: ApiContext;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    URL: { Input: URL; Output: URL };
    ByteSize: { Input: number; Output: number };
    JSON: { Input: unknown; Output: unknown };
    Upload: { Input: Promise<FileUpload>; Output: never };
  };
}

export const builder = new SchemaBuilder<ApiSchemaTypes>({
  plugins: [RelayPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  complexity: {
    limit: { complexity: MAX_COMPLEXITY, depth: MAX_DEPTH },
    complexityError: (kind, { complexity, depth }) =>
      new GraphQLError(
        `This operation is too ${kind === 'Depth' ? `deep: ${depth} levels of at most ${MAX_DEPTH}` : `costly: ${complexity} points of at most ${MAX_COMPLEXITY}`}.`,
        {
          extensions: {
            code: 'OPERATION_TOO_COSTLY',
            hint: 'Ask for fewer rows (`first`) or split it in two.',
          },
        },
      ),
  },
  relay: {
    encodeGlobalID: encodeGlobalId,
    decodeGlobalID: (id) => decodeGlobalId(id) ?? { typename: '', id },
    cursorType: 'String',
    idFieldOptions: { description: 'Unique over all types; opaque.' },
    nodeTypeOptions: { description: 'Anything that can be fetched again by its id.' },
    nodeQueryOptions: {
      description: 'Any job, dataset or artifact by its id; null when there is none.',
      nullable: true,
      args: { id: { description: 'The id of a job, dataset or artifact.' } },
      resolve: (_root, { id }, _context, _info, resolveNode) => (id.typename === '' ? null : resolveNode(id)),
    },
    nodesQueryOptions: false,
    pageInfoTypeOptions: { description: 'Where a page stands in the whole list.' },
    hasNextPageFieldOptions: { description: 'Whether more rows follow this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether rows come before this page.' },
    startCursorFieldOptions: {
      description: 'Cursor of the first row; pass it as `before` to page backwards.',
    },
    endCursorFieldOptions: { description: 'Cursor of the last row; pass it as `after` to page forwards.' },
    firstArgOptions: { description: 'How many rows from the start: 1 to 100, default 20.' },
    lastArgOptions: { description: 'How many rows from the end: 1 to 100.' },
    afterArgOptions: { description: 'Only rows after this cursor.' },
    beforeArgOptions: { description: 'Only rows before this cursor.' },
    pageInfoFieldOptions: { description: 'Where this page stands in the whole list.' },
    edgesFieldOptions: {
      description: 'The rows of this page, each with its cursor.',
      nullable: false,
      // The connection field itself counts its rows.
      complexity: { field: 1, multiplier: 1 },
    },
    nodeFieldOptions: { description: 'The row.', nullable: false },
    cursorFieldOptions: { description: 'Where this row stands; pass it as `after` or `before`.' },
    nodesOnConnection: {
      description: 'The rows of this page, without their cursors.',
      complexity: { field: 1, multiplier: 1 },
    },
    defaultConnectionTypeOptions: { description: 'A page of rows.' },
    defaultEdgeTypeOptions: { description: 'A row and where it stands in the list.' },
  },
});

builder.queryType({ description: 'What can be read.' });
builder.mutationType({ description: 'What can be changed.' });
builder.subscriptionType({ description: 'What can be watched, over WebSocket or server-sent events.' });
