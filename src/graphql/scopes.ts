import { defaultFieldResolver, type GraphQLSchema } from 'graphql';
import { ForbiddenError } from '../domain/errors.ts';
import { isAllowed, type Scope, type Viewer } from '../domain/viewer.ts';
import type { ApiContext } from './context.ts';

/** Rejects with ForbiddenError unless the viewer's scope includes `wanted`. */
export function demand(viewer: Viewer, wanted: Scope): void {
  if (!isAllowed(viewer, wanted)) throw new ForbiddenError(wanted);
}

/** Every mutation, also one yet to be written, needs TRAIN at least, whatever transport it comes by. */
export function guardMutations(schema: GraphQLSchema): GraphQLSchema {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    const resolve = field.resolve ?? defaultFieldResolver;
    field.resolve = (root, args, context: ApiContext, info) => {
      demand(context.viewer, 'TRAIN');
      return resolve(root, args, context, info);
    };
  }
  return schema;
}
