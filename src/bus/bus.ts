/**
 * The bus port: "something changed at this topic", a hint and never the data. A hint may be dropped, late or doubled;
 * whoever listens reads the truth from the store and polls slowly beside it.
 */
export interface Bus {
  publish(topic: string): void;
  /** Returns the function that ends the subscription. Listeners must not throw. */
  subscribe(topic: string, listener: () => void): () => void;
  close(): Promise<void>;
}

export const jobTopic = (jobId: string): string => `job:${jobId}`;
/** Something may be waiting to be claimed. */
export const QUEUE_TOPIC = 'queue';
/** Somebody asked this running job to stop. */
export const cancelTopic = (jobId: string): string => `cancel:${jobId}`;
