import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  executeSubscriptionEvent,
  validateSubscriptionArgs,
} from 'graphql';
import type { Logger } from 'pino';
import { maskError } from '../graphql/mask-error.ts';

/**
 * Runs subscriptions so that the same operation on the same event is executed once, however many sockets wait for it:
 * most of what an update costs is executing it. Sources must hand every subscriber the same object for the same event.
 */
export class SharedSubscriptions {
  readonly #logger: Logger;
  /** By event, then by group. An event that nobody holds any more takes its results along. */
  readonly #results = new WeakMap<object, Map<string, Promise<ExecutionResult>>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Subscribes. `group` names everything besides the event that the answer depends on: operation, variables, and what of
   * the context can be seen in it.
   */
  async subscribe(
    args: ExecutionArgs,
    group: string,
  ): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
    const validated = validateSubscriptionArgs(args);
    if (!('schema' in validated)) return { errors: validated };
    const source = await createSourceEventStream(validated);
    if (!(Symbol.asyncIterator in source)) return this.#masked(source);

    const events = source[Symbol.asyncIterator]();
    let ended = false;
    const results: AsyncIterableIterator<ExecutionResult> = {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: async () => {
        if (ended) return { done: true, value: undefined };
        try {
          const { done, value } = await events.next();
          if (done === true) return { done, value: undefined };
          const execute = async () =>
            this.#masked(await executeSubscriptionEvent({ ...validated, rootValue: value }));
          return { done: false, value: await this.#once(value, group, execute) };
        } catch (error) {
          // A source that fails ends with a result that says so; thrown on, it would take the whole socket along.
          ended = true;
          return { done: false, value: { errors: [maskError(error, this.#logger)] } };
        }
      },
      return: async () => {
        ended = true;
        await events.return?.();
        return { done: true, value: undefined };
      },
    };
    return results;
  }

  #once(event: unknown, group: string, execute: () => Promise<ExecutionResult>): Promise<ExecutionResult> {
    if (typeof event !== 'object' || event === null) return execute();
    const byGroup = this.#results.get(event) ?? new Map<string, Promise<ExecutionResult>>();
    this.#results.set(event, byGroup);
    const result = byGroup.get(group) ?? execute();
    byGroup.set(group, result);
    return result;
  }

  #masked(result: ExecutionResult): ExecutionResult {
    if (result.errors === undefined) return result;
    return { ...result, errors: result.errors.map((error) => maskError(error, this.#logger)) };
  }
}
