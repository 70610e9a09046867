/**
 * Backoff chooses how long a client waits before it dials again. Full jitter spreads the thousand clients of a
 * restarted instance over the whole window.
 */
const BASE_DELAY_MS = 100;
export const LONGEST_DELAY_MS = 5_000;
/**
 * Only a connection that lasted this long after its welcome resets the backoff. Otherwise clients would redial an
 * instance that crashes after each welcome, without a pause.
 */
export const MIN_UPTIME_FOR_RESET_MS = 5_000;
/** A server may ask for a wait, but not for one without end. */
const LONGEST_HINT_MS = 60_000;

export interface EndedConnection {
  /** How long the connection lasted after its welcome; null if it had none. */
  readonly uptimeMs: number | null;
  /** The wait that the server's last error frame asked for. */
  readonly retryAfterMs: number | null;
}

export class Backoff {
  readonly #random: () => number;
  #failures = 0;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  nextDelayMs({ uptimeMs, retryAfterMs }: EndedConnection): number {
    if (uptimeMs !== null && uptimeMs >= MIN_UPTIME_FOR_RESET_MS) this.#failures = 0;
    const windowMs = Math.min(LONGEST_DELAY_MS, BASE_DELAY_MS * 2 ** this.#failures);
    this.#failures += 1;
    return Math.max(Math.min(retryAfterMs ?? 0, LONGEST_HINT_MS), Math.floor(this.#random() * windowMs));
  }
}
