/**
 * Credential gives a client the token for each connection, and renews the token of an open one before it ends.
 *
 *  RENEW-1  The client waits for one token at a time; an answer that it no longer waits for is dropped.
 *  RENEW-2  A token that never comes does not hold the client: asking fails after a deadline.
 */
import type { ClientClock } from './client-clock.ts';

/** Fixed, or a function that gives a token that is still valid. The client asks it before each connection, and to renew. */
export type Token = string | (() => Promise<string>);

const TOKEN_DEADLINE_MS = 15_000;
/** The client renews a token when a fifth of its time is left, at most so long before its end. */
const LONGEST_LEAD_MS = 60_000;
/** Closer to its end the server's close comes first, and the client connects again with a new token. */
const SHORTEST_REST_MS = 1_000;

export class Credential {
  readonly #token: Token | undefined;
  readonly #clock: ClientClock;
  #cancel: () => void = () => {};

  constructor(token: Token | undefined, clock: ClientClock) {
    this.#token = token;
    this.#clock = clock;
  }

  /** The next connection would show the same token again. */
  get isFixed(): boolean {
    return typeof this.#token === 'string';
  }

  /** Calls `then` with the token for a connection: immediately, unless it must be asked for. */
  take(then: (token: string | undefined) => void, failed: (why: string) => void): void {
    this.rest();
    const token = this.#token;
    if (typeof token === 'function') this.#ask(token, then, failed);
    else then(token);
  }

  /** Sends a newer token before the one that is in use ends. */
  renewBefore(expiresAt: number | null, send: (token: string) => void): void {
    this.rest();
    const token = this.#token;
    if (typeof token !== 'function' || expiresAt === null) return;
    const leftMs = expiresAt - this.#clock.now();
    if (leftMs < SHORTEST_REST_MS) return;
    const waitMs = leftMs - Math.min(LONGEST_LEAD_MS, leftMs / 5);
    this.#cancel = this.#clock.after(waitMs, () =>
      this.#ask(token, send, () => this.renewBefore(expiresAt, send)),
    );
  }

  /** Waits for nothing more. */
  rest(): void {
    this.#cancel();
    this.#cancel = () => {};
  }

  #ask(token: () => Promise<string>, then: (token: string) => void, failed: (why: string) => void): void {
    let isWaiting = true;
    const settle = (task: () => void): void => {
      if (!isWaiting) return; // RENEW-1
      this.rest();
      task();
    };
    const cancelDeadline = this.#clock.after(
      TOKEN_DEADLINE_MS,
      () => settle(() => failed(`no token within ${TOKEN_DEADLINE_MS / 1_000} s`)), // RENEW-2
    );
    this.#cancel = () => {
      isWaiting = false;
      cancelDeadline();
    };
    new Promise<string>((resolve) => resolve(token())).then(
      (given) => settle(() => then(given)),
      (error: unknown) => settle(() => failed(`no token: ${error instanceof Error ? error.message : error}`)),
    );
  }
}
