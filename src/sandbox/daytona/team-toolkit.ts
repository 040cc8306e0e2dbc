import { SproutError } from '../../domain/errors.ts';
import type { Toolkit, ToolkitCallOptions } from '../toolkit.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type Home, SandboxLostError } from './home.ts';

/** A sandbox of the job in which trials can be trained. */
export interface Bench {
  home: Home;
  toolkit: Toolkit;
  close(): Promise<void>;
  leave(): void;
}

interface Parts {
  workbench: Bench;
  checkpoint: Checkpoint;
  /** Sandboxes a job may train in at the same time, its workbench included. */
  most: number;
  /** A server before this one has worked on the job: what it left running is to be taken up where it runs. */
  resumed: boolean;
  /** Opens the nth sub-trainer's sandbox. Rejects where there is no room for it. */
  openTrainer(nth: number): Promise<Bench>;
  logger: { info(message: string): void; warn(message: string): void };
}

interface Trainer extends Bench {
  /** The list of files it was given last; null: none yet. */
  supplied: string | null;
}

/**
 * The toolkit over several sandboxes: every command runs on the workbench, but trials are trained on whichever sandbox is
 * free. After each command what is new is saved to the job's volume, so that no finished step is lost with a sandbox, and
 * sub-trainers find what they need there. Trainers are opened while the table is being prepared, and done without where
 * there is no room for them.
 */
export class TeamToolkit implements Toolkit {
  readonly #parts: Parts;
  readonly #trainers: Trainer[] = [];
  readonly #free: (Trainer | null)[] = [null];
  readonly #waiting: ((trainer: Trainer | null) => void)[] = [];
  #opening: Promise<unknown> | null = null;
  #list: string | null = null;
  #saving: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async call(command: string, request: unknown, options: ToolkitCallOptions): Promise<unknown> {
    this.#openTrainers();
    // What agent-written code answered lies in the workbench's scratch folder, and goes no further.
    const ofCode = typeof request === 'object' && request !== null && 'code' in request;
    if (command !== 'train' || ofCode) return this.#onWorkbench(command, request, options);
    const trainer = await this.#choose(command, options);
    try {
      if (trainer === null) return await this.#onWorkbench(command, request, options);
      return await this.#onTrainer(trainer, command, request, options);
    } finally {
      this.#giveBack(trainer);
    }
  }

  ready(): Promise<void> {
    return this.#parts.workbench.toolkit.ready();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening;
    await Promise.all([
      this.#parts.workbench.toolkit.close(),
      ...this.#trainers.map((trainer) => trainer.close()),
    ]);
  }

  leave(): void {
    this.#closed = true;
    this.#parts.workbench.leave();
    for (const trainer of this.#trainers) trainer.leave();
  }

  async #onWorkbench(command: string, request: unknown, options: ToolkitCallOptions): Promise<unknown> {
    const result = await this.#parts.workbench.toolkit.call(command, request, options);
    await this.#save(command !== 'train');
    return result;
  }

  async #onTrainer(
    trainer: Trainer,
    command: string,
    request: unknown,
    options: ToolkitCallOptions,
  ): Promise<unknown> {
    const { checkpoint, workbench } = this.#parts;
    const { trialId } = request as { trialId: string };
    try {
      await trainer.home.settle(options.signal);
      const list = this.#list ?? 'newest';
      if (trainer.supplied !== list) {
        await checkpoint.supply(trainer.home, list);
        trainer.supplied = list;
      }
      await trainer.toolkit.ready();
      const result = await trainer.toolkit.call(command, request, options);
      await this.#save(false, () => checkpoint.collect(trainer.home, workbench.home, trialId));
      return result;
    } catch (error) {
      if (error instanceof SproutError && error.code === 'SANDBOX_LOST') trainer.supplied = null;
      throw error;
    }
  }

  /** One after the other: each list has all files of those before. */
  async #save(forTraining: boolean, before: () => Promise<void> = async () => undefined): Promise<void> {
    const { checkpoint, workbench } = this.#parts;
    let isBefore = true;
    const saved = this.#saving.then(async () => {
      await before();
      isBefore = false;
      return checkpoint.save(workbench.home);
    });
    this.#saving = saved.catch(() => undefined);
    try {
      const list = await saved;
      if (forTraining || this.#list === null) this.#list = list;
    } catch (error) {
      // What the command made went with the sandbox: it is to be done again.
      if (isBefore || error instanceof SandboxLostError || !(error instanceof SproutError)) throw error;
      this.#parts.logger.warn(`Files could not be saved to the job's volume: ${error.message}`);
    }
  }

  #openTrainers(): void {
    const { most, openTrainer, logger } = this.#parts;
    this.#opening ??= Promise.all(
      Array.from({ length: most - 1 }, async (_, index) => {
        try {
          const trainer = { ...(await openTrainer(index + 1)), supplied: null };
          this.#trainers.push(trainer);
          if (this.#closed) await trainer.close();
          else this.#giveBack(trainer);
        } catch (error) {
          if (!(error instanceof SproutError)) throw error;
          logger.warn(`One sub-trainer's sandbox less: ${error.message}`);
        }
      }),
    );
  }

  /** The sandbox in which the server before has begun this very call, else whichever is free. */
  async #choose(command: string, { key, signal }: ToolkitCallOptions): Promise<Trainer | null> {
    if (this.#parts.resumed && key !== undefined) {
      await this.#opening;
      for (const trainer of [null, ...this.#trainers]) {
        const { toolkit } = trainer ?? this.#parts.workbench;
        if (!(await toolkit.knows?.(command, key)) || !this.#free.includes(trainer)) continue;
        this.#free.splice(this.#free.indexOf(trainer), 1);
        return trainer;
      }
    }
    return this.#take(signal);
  }

  /** A free sandbox; null: the workbench itself. */
  async #take(signal: AbortSignal | undefined): Promise<Trainer | null> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const { promise, resolve, reject } = Promise.withResolvers<Trainer | null>();
    this.#waiting.push(resolve);
    const onAbort = () => {
      const at = this.#waiting.indexOf(resolve);
      if (at === -1) return;
      this.#waiting.splice(at, 1);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #giveBack(trainer: Trainer | null): void {
    const next = this.#waiting.shift();
    if (next) next(trainer);
    // The workbench last: it has other work.
    else if (trainer === null) this.#free.unshift(null);
    else this.#free.push(trainer);
  }
}
