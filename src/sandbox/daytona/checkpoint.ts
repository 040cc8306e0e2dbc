import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Home } from './home.ts';

/** Hashing and copying some gibibytes to object storage. */
const SECONDS = 900;
const saved = z.object({ list: z.string(), files: z.number() });
const restored = z.object({ list: z.string().nullable(), files: z.number() });

/** What agents and toolkit leave in a job's folder. */
const ALL = ['input', 'work', 'scratch', 'sealed', 'out'] as const;
/** What a sub-trainer learns from: never what is sealed, and no other trial. */
const FOR_TRAINING = ['work', '-work/trials'] as const;

/**
 * A job's files on its volume, to be found again by a sandbox that takes the place of a lost one, and by sub-trainers' own.
 * Files are written once, under their hash; what was saved before is not sent again.
 */
export class Checkpoint {
  /** Where the volume is mounted in each of the job's sandboxes. */
  readonly mount: string;

  constructor(mount: string) {
    this.mount = mount;
  }

  /** Saves the workbench's files; the name of the list that now has them all. */
  async save(workbench: Home): Promise<string> {
    return this.#save(workbench, '-', ALL);
  }

  /** Brings the files of an earlier workbench into this one; how many there were. */
  async restore(workbench: Home): Promise<number> {
    return this.#restore(workbench, 'newest', ALL);
  }

  /** Brings what training needs to a sub-trainer. */
  async supply(trainer: Home, list: string): Promise<void> {
    await this.#restore(trainer, list, FOR_TRAINING);
  }

  /** Brings a trial's files from the sub-trainer that made them to the workbench. */
  async collect(trainer: Home, workbench: Home, trialId: string): Promise<void> {
    const folder = `work/trials/${trialId}`;
    const list = await this.#save(trainer, `trial-${randomUUID()}`, [folder]);
    await this.#restore(workbench, list, [folder]);
  }

  async #save(home: Home, list: string, folders: readonly string[]): Promise<string> {
    return saved.parse(await home.persist('saved', ['save', this.mount, list, word(folders)], SECONDS)).list;
  }

  async #restore(home: Home, list: string, folders: readonly string[]): Promise<number> {
    const uid = home.uid === null ? '-' : String(home.uid);
    const words = ['restore', this.mount, list, uid, word(folders)];
    return restored.parse(await home.persist('saved', words, SECONDS)).files;
  }
}

/** Folders are named after what agents chose; a command line takes plain words. */
const word = (folders: readonly string[]): string =>
  Buffer.from(JSON.stringify(folders)).toString('base64url');
