/**
 * How long a client waits before it dials again: full jitter, so that the thousand clients of an instance that
 * restarted come back spread over the window and not in step.
 */
const BASE_DELAY_MS = 100;
export const LONGEST_DELAY_MS = 5_000;
/**
 * An instance that greets and dies at once would be dialled without a pause if a handshake alone counted as success:
 * only a connection that was welcomed and then lasted this long does.
 */
export const MIN_UPTIME_FOR_RESET_MS = 5_000;
/** A server may ask for patience, but not put a client to sleep for good. */
const LONGEST_HINT_MS = 60_000;

export interface ConnectionEnd {
  /** How long the connection that ended had been welcomed; null where it never was. */
  readonly uptimeMs: number | null;
  /** What the server asked for in its last error frame. */
  readonly retryAfterMs: number | null;
}

export class Backoff {
  readonly #random: () => number;
  #failures = 0;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  nextDelayMs({ uptimeMs, retryAfterMs }: ConnectionEnd): number {
    if (uptimeMs !== null && uptimeMs >= MIN_UPTIME_FOR_RESET_MS) this.#failures = 0;
    const windowMs = Math.min(LONGEST_DELAY_MS, BASE_DELAY_MS * 2 ** this.#failures);
    this.#failures += 1;
    return Math.max(Math.min(retryAfterMs ?? 0, LONGEST_HINT_MS), Math.floor(this.#random() * windowMs));
  }
}
