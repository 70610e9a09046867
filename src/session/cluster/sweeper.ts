/**
 * Sweeper finds sessions that are due and have no owner, and wakes them on this instance: deadlines of sleeping sessions,
 * turns whose owner died, input that waits in an inbox. The fence keeps a session at one owner, so two sweepers may look
 * at one bucket.
 *
 *  SWEEP-1  The first two live instances of a bucket's ranking look at it: when one dies, the other still does.
 *  SWEEP-2  A sweeper looks at a bucket at the time that its last look named, and at least once per `pollMs` for newer
 *           changes. One timer serves all buckets; the calls of a round leave in one write, and rounds start at least
 *           `ROUND_MS` apart, which bounds the cost of many busy sessions.
 *  SWEEP-3  A sweeper looks at a bucket again only after the sessions that it found there were woken: a slow store gets
 *           no further calls meanwhile.
 */
import { crc32 } from 'node:zlib';
import type { Clock } from '../../clock.ts';
import { BUCKETS, type Store } from '../../store/contract.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Membership } from './membership.ts';

export interface SweeperOptions {
  readonly instance: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly membership: Membership;
  readonly leaseMs: number;
  /** Longest wait between two looks at a bucket, even where no session is known to be due. */
  readonly pollMs: number;
  readonly wake: (sessionId: string) => Promise<void>;
}

const LOOKERS = 2;
/**
 * Due sessions that one look takes from a bucket. All buckets look in parallel: with more, ten thousand sessions that are
 * due together would delay each other's writes for longer than a lease.
 */
const BATCH = 2;
const ROUND_MS = 25;

function bucketsOf(instance: string, living: readonly string[]): readonly number[] {
  const others = living.includes(instance) ? living : [...living, instance];
  const mine: number[] = [];
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const ranked = others
      .map((name) => ({ name, weight: crc32(`${name}/${bucket}`) }))
      .sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1));
    if (ranked.slice(0, LOOKERS).some((one) => one.name === instance)) mine.push(bucket);
  }
  return mine;
}

export class Sweeper {
  readonly #options: SweeperOptions;
  /** Time of a bucket's next look; infinite while a look is under way. */
  readonly #lookAt = new Map<number, number>();
  readonly #looks = new Set<Promise<void>>();
  #timer: { readonly at: number; readonly cancel: () => void } | null = null;
  #lastRoundAt = 0;
  #failedAt = 0;
  #stopped = false;
  #membership = '';
  #buckets: readonly number[] = [];

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#round();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await Promise.all(this.#looks);
  }

  #round(): void {
    const { clock, pollMs } = this.#options;
    const now = clock.now();
    this.#timer = null;
    this.#lastRoundAt = now;
    let nextAt = now + pollMs;
    for (const bucket of this.#mine()) {
      const known = this.#lookAt.get(bucket) ?? now;
      if (known === Number.POSITIVE_INFINITY) continue;
      // If the clock was set back, the bucket would wait until the clock has caught up.
      const lookAt = known > now + pollMs ? now : known;
      if (lookAt > now) nextAt = Math.min(nextAt, lookAt);
      else this.#begin(bucket, now);
    }
    this.#arm(nextAt);
  }

  #begin(bucket: number, now: number): void {
    this.#lookAt.set(bucket, Number.POSITIVE_INFINITY);
    const look = this.#look(bucket, now).then((lookAt) => {
      this.#looks.delete(look);
      this.#lookAt.set(bucket, lookAt);
      this.#arm(lookAt);
    });
    this.#looks.add(look);
  }

  /** Resolves with the time of the next look; never rejects. */
  async #look(bucket: number, now: number): Promise<number> {
    const { store, leaseMs, pollMs, wake, metrics, log } = this.#options;
    try {
      const { due, nextAt, lost } = await store.sweep(bucket, now, BATCH, leaseMs);
      for (const sessionId of lost)
        log.error({ sessionId }, 'the store has lost this session: it ends without an archive');
      if (due.length > 0) metrics.swept(due.length);
      await Promise.all(due.map((sessionId) => wake(sessionId)));
      return Math.min(nextAt ?? Number.POSITIVE_INFINITY, now + pollMs);
    } catch (error) {
      // All calls of a round fail together: one log line is enough.
      if (this.#failedAt !== now) {
        metrics.storeFailed();
        log.warn({ err: error }, 'sweep failed');
      }
      this.#failedAt = now;
      return now + pollMs;
    }
  }

  #arm(wantedAt: number): void {
    const { clock } = this.#options;
    const now = clock.now();
    const at = Math.max(wantedAt, Math.min(this.#lastRoundAt, now) + ROUND_MS);
    if (this.#stopped || (this.#timer !== null && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    this.#timer = { at, cancel: clock.after(Math.max(0, at - now), () => this.#round()) };
  }

  /** Ranking every bucket costs time, so it happens only when an instance came or left. */
  #mine(): readonly number[] {
    const { living } = this.#options.membership;
    const membership = living.join();
    if (membership !== this.#membership || this.#buckets.length === 0) {
      this.#membership = membership;
      this.#buckets = bucketsOf(this.#options.instance, living);
    }
    return this.#buckets;
  }
}
