import { createHash } from 'node:crypto';

/** A stream of numbers in [0, 1) that depends on its seed alone (mulberry32). */
export function randomStream(...seed: readonly (string | number)[]): () => number {
  let state = createHash('sha256').update(JSON.stringify(seed)).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
