import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  parse,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/**
 * What an operation may be before it costs anything to run. The introspection query of GraphiQL, the largest honest one,
 * has some 400 tokens; cost by rows asked for is counted at execution, see builder.ts.
 */
export const MAX_TOKENS = 2_000;
const MAX_DEPTH = 15;
const MAX_ALIASES = 50;
const MAX_DIRECTIVES = 50;

/** Parses no more than MAX_TOKENS: ten thousand aliases are refused before they are a tree. */
export function parseLimited(
  source: Parameters<typeof parse>[0],
  options?: Parameters<typeof parse>[1],
): DocumentNode {
  return parse(source, { ...options, maxTokens: MAX_TOKENS });
}

/** A validation rule: bounds depth, aliases and directives over the whole document, fragments included. */
export function OperationLimitsRule(context: ValidationContext): ASTVisitor {
  let aliases = 0;
  let directives = 0;
  const depths = new Map<FragmentDefinitionNode, number>();

  const depthOf = (set: SelectionSetNode): number =>
    set.selections.reduce((deepest, selection) => {
      if (selection.kind === Kind.FIELD) {
        // Introspection recurses on purpose and has a rule of its own.
        if (selection.name.value.startsWith('__') || selection.selectionSet === undefined)
          return Math.max(deepest, 1);
        return Math.max(deepest, 1 + depthOf(selection.selectionSet));
      }
      if (selection.kind === Kind.INLINE_FRAGMENT) return Math.max(deepest, depthOf(selection.selectionSet));
      const fragment = context.getFragment(selection.name.value);
      return fragment ? Math.max(deepest, depthOfFragment(fragment)) : deepest;
    }, 0);

  const depthOfFragment = (fragment: FragmentDefinitionNode): number => {
    const known = depths.get(fragment);
    if (known !== undefined) return known;
    // A cycle is another rule's finding; here it must only not be followed.
    depths.set(fragment, 0);
    const depth = depthOf(fragment.selectionSet);
    depths.set(fragment, depth);
    return depth;
  };

  const refuse = (message: string) =>
    context.reportError(new GraphQLError(message, { extensions: { code: 'OPERATION_TOO_LARGE' } }));

  return {
    Field(node) {
      if (node.alias !== undefined && ++aliases === MAX_ALIASES + 1) {
        refuse(`At most ${MAX_ALIASES} aliases are taken.`);
      }
    },
    Directive() {
      if (++directives === MAX_DIRECTIVES + 1) refuse(`At most ${MAX_DIRECTIVES} directives are taken.`);
    },
    OperationDefinition(node) {
      const depth = depthOf(node.selectionSet);
      if (depth > MAX_DEPTH) refuse(`The operation is ${depth} levels deep; at most ${MAX_DEPTH} are taken.`);
    },
  };
}
