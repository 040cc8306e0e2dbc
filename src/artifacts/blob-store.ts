import type { Readable } from 'node:stream';
import type { BlobKey } from '../domain/ids.ts';

/** The blob port: immutable byte sequences by key. A blob is there whole or not at all, whatever dies on the way. */
export interface BlobStore {
  /** Streams `content` in, hashing on the way. Rejects, leaving nothing, when the stream fails; with DISK_FULL when that is. */
  put(key: BlobKey, content: Readable): Promise<StoredBlob>;
  /** Reads a blob, or the bytes from `start` to `end` inclusive. Rejects with BLOB_NOT_FOUND. */
  get(key: BlobKey, range?: { start: number; end: number }): Promise<Readable>;
  /** Size in bytes, or null when there is no such blob. */
  size(key: BlobKey): Promise<number | null>;
  /** Idempotent. */
  delete(key: BlobKey): Promise<void>;
}

export interface StoredBlob {
  size: number;
  /** Hex. */
  sha256: string;
}
