/** Waiting that a leaving client ends at once: no job may hold its slot until the next token is due. */
import { startTimer } from '../../clock.ts';

export interface Pause {
  readonly cancelled: boolean;
  /** Resolves after `ms` (Infinity never does) or on cancel; ask `cancelled` afterwards. */
  sleep(ms: number): Promise<void>;
  /** Lets sockets and other jobs have a turn. */
  breathe(): Promise<void>;
  cancel(): void;
}

export function createPause(): Pause {
  let cancelled = false;
  let wake: (() => void) | null = null;

  return {
    get cancelled() {
      return cancelled;
    },
    sleep(ms) {
      if (cancelled || ms <= 0) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = Number.isFinite(ms) ? startTimer(ms, () => wake?.()) : null;
        wake = () => {
          timer?.cancel();
          wake = null;
          resolve();
        };
      });
    },
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
    cancel() {
      cancelled = true;
      wake?.();
    },
  };
}
