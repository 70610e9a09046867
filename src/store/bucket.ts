import { crc32 } from 'node:zlib';
import { BUCKETS } from './contract.ts';

/** The bucket of a session: part of every stored key, so it never changes for data that exists. */
export function bucketOf(sessionId: string): number {
  return crc32(sessionId) % BUCKETS;
}
