import { createHash } from 'node:crypto';

const APP = 'sproutml';

/** The sandbox in which everything but trials runs, and whose files are the job's. */
export const WORKBENCH = 'workbench';
export const trainer = (nth: number): string => `trainer-${nth}`;

/** What things of this installation are called in the cloud: the same for the same job whoever asks, which is how they are found again. */
export class Naming {
  readonly #install: string;
  /** What all names begin with. */
  readonly prefix: string;
  /** What all sandboxes of this installation are labelled with. */
  readonly labels: Readonly<Record<string, string>>;

  constructor(install: string) {
    this.#install = install;
    this.prefix = `${APP}-${install}-`;
    this.labels = { app: APP, install };
  }

  sandbox(job: string, role: string): string {
    return `${this.prefix}${this.#hash(job, role)}`;
  }

  volume(job: string): string {
    return `${this.prefix}${this.#hash(job, 'volume')}`;
  }

  labelsOf(job: string): Record<string, string> {
    return { ...this.labels, job };
  }

  #hash(job: string, role: string): string {
    return createHash('sha256').update(`${this.#install}\n${job}\n${role}`).digest('hex').slice(0, 16);
  }
}
