import {
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { SproutError } from '../domain/errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { inSpan } from '../telemetry/spans.ts';

/** What a context knows of the request: where its trace began. */
interface Requested {
  req?: { headers: Readonly<Record<string, string | string[] | undefined>> };
}

/** Times queries and mutations and puts each in a span, whether they come by HTTP or by WebSocket. */
export function useObservedOperations(metrics: Metrics | undefined): Plugin {
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn((args: ExecutionArgs) => observed(args, executeFn, metrics));
    },
  };
}

async function observed(
  args: ExecutionArgs,
  execute: (args: ExecutionArgs) => unknown,
  metrics: Metrics | undefined,
): Promise<unknown> {
  const operation = getOperationAST(args.document, args.operationName);
  // graphql-js says itself what is wrong with that.
  if (operation == null) return execute(args);
  const type = operation.operation;
  const name = rootField(operation);
  const { req } = args.contextValue as Requested;
  const start = performance.now();
  const result = await inSpan(
    {
      name: type,
      kind: 'server',
      attributes: { 'graphql.operation.type': type, 'sproutml.field': name },
      parent: String(req?.headers.traceparent ?? ''),
    },
    async (span) => {
      const answer = await execute(args);
      const [first] = (answer as Partial<ExecutionResult>).errors ?? [];
      if (first) span.fail(codeOf(first), first.message);
      return answer;
    },
  );
  const outcome = (result as Partial<ExecutionResult>).errors === undefined ? 'ok' : 'error';
  metrics?.operation.observe({ type, name, outcome }, (performance.now() - start) / 1000);
  return result;
}

/** Before masking, a failure of ours still stands behind the error that graphql-js made of it. */
const codeOf = ({ extensions, originalError }: GraphQLError): string =>
  String(extensions.code ?? (originalError instanceof SproutError ? originalError.code : 'INTERNAL_ERROR'));

/** The field an operation asks for: the schema lists all there can be, while names of operations are anybody's. */
function rootField({ selectionSet }: OperationDefinitionNode): string {
  const fields = new Set(
    selectionSet.selections.map((selection) =>
      selection.kind === Kind.FIELD ? selection.name.value : 'fragment',
    ),
  );
  const [first = 'none'] = fields;
  return fields.size === 1 ? first : 'several';
}
