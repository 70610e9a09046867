/**
 * Names every stored key. All keys of a session carry the hash tag of its bucket, so one script may use them on a Redis
 * Cluster too. The deadline index, the listing and the channel belong to the bucket.
 */
import { BUCKETS, bucketOf } from '../contract.ts';

export type SessionKeys = ReturnType<typeof sessionKeys>;

export const INSTANCES_KEY = 'rehydra:instances';
/** The note of a purge (`commands/purge`). */
export const PURGE_KEY = 'rehydra:purge';

/** Without a hash tag: the tallies spread over the slots of a cluster. */
export function tallyKey(name: string): string {
  return `rehydra:tally:${name}`;
}

export function instanceChannel(instance: string): string {
  return `rehydra:i:${instance}`;
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
  readonly stagePrefix: string;
  readonly historyPrefix: string;
  readonly pagesPrefix: string;
}

const BUCKET_KEYS: readonly BucketKeys[] = Array.from({ length: BUCKETS }, (_, bucket) => {
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
    historyPrefix: `${tag}h:`,
    pagesPrefix: `${tag}hp:`,
  };
});

export function bucketKeys(bucket: number): BucketKeys {
  const keys = BUCKET_KEYS[bucket];
  if (keys === undefined) throw new Error(`there is no bucket ${bucket}`);
  return keys;
}

export function sessionKeys(sessionId: string) {
  const bucket = bucketKeys(bucketOf(sessionId));
  return {
    session: `${bucket.sessionPrefix}${sessionId}`,
    lock: `${bucket.lockPrefix}${sessionId}`,
    log: `${bucket.logPrefix}${sessionId}`,
    transcript: `${bucket.transcriptPrefix}${sessionId}`,
    inbox: `${bucket.inboxPrefix}${sessionId}`,
    /** The log of a session during its import. */
    stage: `${bucket.stagePrefix}${sessionId}`,
    /** The newest records of the history; older ones are in `pages`. */
    history: `${bucket.historyPrefix}${sessionId}`,
    pages: `${bucket.pagesPrefix}${sessionId}`,
    due: bucket.due,
    listing: bucket.listing,
    channel: bucket.channel,
  };
}
