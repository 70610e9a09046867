/**
 * The names of everything that is stored. All keys of a session carry the hash tag of its bucket, so that one
 * script may touch them all on a Redis Cluster as well; its deadline index, its listing and its channel are the bucket's.
 */
import { bucketOf } from '../contract.ts';

export interface SessionKeys {
  readonly session: string;
  readonly lock: string;
  readonly log: string;
  readonly transcript: string;
  readonly inbox: string;
  /** The log of a session that is being imported. */
  readonly stage: string;
  readonly due: string;
  readonly listing: string;
  readonly channel: string;
}

export interface BucketKeys {
  readonly due: string;
  readonly listing: string;
  readonly channel: string;
  readonly sessionPrefix: string;
  readonly lockPrefix: string;
  readonly inboxPrefix: string;
  readonly logPrefix: string;
  readonly transcriptPrefix: string;
}

export const INSTANCES_KEY = 'rehydra:instances';

export function instanceChannel(instance: string): string {
  return `rehydra:i:${instance}`;
}

export function bucketKeys(bucket: number): BucketKeys {
  const tag = `rehydra:{b${String(bucket).padStart(3, '0')}}:`;
  return {
    due: `${tag}due`,
    listing: `${tag}ls`,
    channel: `${tag}ch`,
    sessionPrefix: `${tag}s:`,
    lockPrefix: `${tag}lock:`,
    inboxPrefix: `${tag}in:`,
    logPrefix: `${tag}log:`,
    transcriptPrefix: `${tag}t:`,
  };
}

export function sessionKeys(sessionId: string): SessionKeys {
  const tag = `rehydra:{b${String(bucketOf(sessionId)).padStart(3, '0')}}:`;
  return {
    session: `${tag}s:${sessionId}`,
    lock: `${tag}lock:${sessionId}`,
    log: `${tag}log:${sessionId}`,
    transcript: `${tag}t:${sessionId}`,
    inbox: `${tag}in:${sessionId}`,
    stage: `${tag}stage:${sessionId}`,
    due: `${tag}due`,
    listing: `${tag}ls`,
    channel: `${tag}ch`,
  };
}
