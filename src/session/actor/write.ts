import type { Clock } from '../../clock.ts';

const FIRST_DELAY_MS = 25;
const LONGEST_DELAY_MS = 1_000;

export interface WritePolicy {
  readonly clock: Clock;
  /** After this long the lease is over and the write no longer ours to repeat. */
  readonly giveUpMs: number;
  readonly stopped: () => boolean;
  readonly failed: (error: unknown) => void;
}

/**
 * Sends a write until its outcome is known. The attempt must carry the same write id each time: a reply that was lost
 * is then answered like the first time, and nothing is applied twice.
 */
export async function writeUntilKnown<T>(
  attempt: () => Promise<T>,
  policy: WritePolicy,
): Promise<T | { kind: 'lost' }> {
  const startedMs = policy.clock.monotonicMs();
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (policy.stopped()) return { kind: 'lost' };
      policy.failed(error);
      if (policy.clock.monotonicMs() + delayMs - startedMs >= policy.giveUpMs) return { kind: 'lost' };
      await new Promise<void>((resume) => policy.clock.after(delayMs, resume));
    }
  }
}
