/**
 * Names every stored key. All keys of a session carry the hash tag of its bucket, so one script may use them on a Redis
 * Cluster too. The deadline index, the listing and the channel belong to the bucket.
 */
import { bucketOf } from '../contract.ts';

export type SessionKeys = ReturnType<typeof sessionKeys>;

export const INSTANCES_KEY = 'rehydra:instances';

export function instanceChannel(instance: string): string {
  return `rehydra:i:${instance}`;
}

export function bucketKeys(bucket: number) {
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
    stagePrefix: `${tag}stage:`,
  };
}

export function sessionKeys(sessionId: string) {
  const { due, listing, channel, ...prefixes } = bucketKeys(bucketOf(sessionId));
  return {
    session: `${prefixes.sessionPrefix}${sessionId}`,
    lock: `${prefixes.lockPrefix}${sessionId}`,
    log: `${prefixes.logPrefix}${sessionId}`,
    transcript: `${prefixes.transcriptPrefix}${sessionId}`,
    inbox: `${prefixes.inboxPrefix}${sessionId}`,
    /** The log of a session during its import. */
    stage: `${prefixes.stagePrefix}${sessionId}`,
    due,
    listing,
    channel,
  };
}
