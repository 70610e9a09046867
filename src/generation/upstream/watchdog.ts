/**
 * The clock of one attempt. The client library's timeout covers the response headers only: a stream that
 * stalls afterwards would hold a session until undici's five minutes are over.
 *
 * W1  The first cause wins: what stopped an attempt is never rewritten by what came after.
 * W2  Stopping aborts the upstream request at once, so that its slot in the engine is free.
 * W3  Only words of the model break a silence: a server can send empty chunks for ever.
 */
import { startTimer } from '../../clock.ts';
import type { GenerationTimeouts } from '../vllm-options.ts';

export type StopCause = 'client' | 'first_token_timeout' | 'inter_token_timeout' | 'total_timeout';

export interface Watchdog {
  /** For the upstream request. */
  readonly signal: AbortSignal;
  readonly cause: StopCause | null;
  /** Resolves when stopped, for waiting on things that know no signal. */
  readonly stopped: Promise<void>;
  /** The model has said something. What says nothing (an empty delta, a comment) is not heard. */
  heard(): void;
  /** The model has said why it ended: what may still come is not worth waiting for. */
  finished(): void;
  stop(cause: StopCause): void;
  /** Frees timers and listeners and lets go of an upstream request that is still open. */
  dispose(): void;
}

/** How long the usage may come after the finish, from a server that never ends its stream. */
const AFTER_FINISH_MS = 1_000;

export function startWatchdog(timeouts: GenerationTimeouts, client: AbortSignal): Watchdog {
  const upstream = new AbortController();
  let cause: StopCause | null = null;
  let announce: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    announce = resolve;
  });

  const stop = (why: StopCause): void => {
    cause ??= why; // W1
    silence.cancel();
    total.cancel();
    upstream.abort(); // W2
    announce();
  };
  const onClientAbort = (): void => stop('client');

  const total = startTimer(timeouts.totalMs, () => stop('total_timeout'));
  let silence = startTimer(timeouts.firstTokenMs, () => stop('first_token_timeout'));
  let phase: 'waiting' | 'speaking' | 'finished' = 'waiting';
  if (client.aborted) onClientAbort();
  else client.addEventListener('abort', onClientAbort, { once: true });

  return {
    signal: upstream.signal,
    get cause() {
      return cause;
    },
    stopped,
    heard() {
      if (cause !== null || phase === 'finished') return;
      if (phase === 'speaking') {
        silence.restart();
        return;
      }
      phase = 'speaking';
      silence.cancel();
      silence = startTimer(timeouts.interTokenMs, () => stop('inter_token_timeout'));
    },
    finished() {
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
      upstream.abort();
    },
  };
}
