/**
 * Watchdog limits the time of one attempt. No transport limits the silence of a server: a stream that stalls would
 * block its session for ever.
 *
 * WATCHDOG-1  A later cause never replaces the first.
 * WATCHDOG-2  A stop calls its listener immediately, which closes the upstream request: that frees a slot in the engine.
 * WATCHDOG-3  Only text of the model restarts the silence timer: a server can send empty chunks for ever.
 */
import { startTimer } from '../../clock.ts';

/** vLLM promises no limits of its own. */
export interface GenerationTimeouts {
  /** From the start of the attempt to the first token, including the time in the server's queue. */
  readonly firstTokenMs: number;
  /** The longest silence between two chunks. */
  readonly interTokenMs: number;
  /** The whole attempt. */
  readonly totalMs: number;
}

export type StopCause = 'client' | 'first_token_timeout' | 'inter_token_timeout' | 'total_timeout';

export interface Watchdog {
  readonly cause: StopCause | null;
  /** Calls `listener` at the stop, in place of the earlier listener: an attempt does one thing at a time. */
  onStop(listener: () => void): void;
  /** The model sent text; an empty delta or a comment does not count (WATCHDOG-3). */
  sawText(): void;
  /** The server sent the finish reason: the rest gets only a moment. */
  sawFinish(): void;
  stop(cause: StopCause): void;
  /** Frees timers and listeners. */
  dispose(): void;
}

/** Wait for the usage after the finish reason: some servers never end their stream. */
const AFTER_FINISH_MS = 1_000;

export function startWatchdog(timeouts: GenerationTimeouts, client: AbortSignal): Watchdog {
  let cause: StopCause | null = null;
  let announce: () => void = () => {};

  const stop = (why: StopCause): void => {
    if (cause !== null) return; // WATCHDOG-1
    cause = why;
    silence.cancel();
    total.cancel();
    announce(); // WATCHDOG-2
  };
  const onClientAbort = (): void => stop('client');

  const total = startTimer(timeouts.totalMs, () => stop('total_timeout'));
  let silence = startTimer(timeouts.firstTokenMs, () => stop('first_token_timeout'));
  let phase: 'waiting' | 'speaking' | 'finished' = 'waiting';
  if (client.aborted) onClientAbort();
  else client.addEventListener('abort', onClientAbort, { once: true });

  return {
    get cause() {
      return cause;
    },
    onStop(listener) {
      announce = listener;
      if (cause !== null) listener();
    },
    sawText() {
      if (cause !== null || phase === 'finished') return;
      if (phase === 'speaking') {
        silence.restart();
        return;
      }
      phase = 'speaking';
      silence.cancel();
      silence = startTimer(timeouts.interTokenMs, () => stop('inter_token_timeout'));
    },
    sawFinish() {
      if (cause !== null || phase === 'finished') return;
      phase = 'finished';
      silence.cancel();
      const graceMs = Math.min(timeouts.interTokenMs, AFTER_FINISH_MS);
      silence = startTimer(graceMs, () => stop('inter_token_timeout'));
    },
    stop,
    dispose() {
      client.removeEventListener('abort', onClientAbort);
      silence.cancel();
      total.cancel();
    },
  };
}
