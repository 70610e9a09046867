/**
 * Clock gives a session the date, durations and timers; a simulation passes its own. All timers under src/ come from
 * here, but those of a client, which runs in browsers too (src/client/client-clock.ts).
 *
 * An operator may set the wall clock back or forward, so the difference of two dates is no duration: running text would
 * wait an hour, or a lease would lapse. `monotonicMs` measures durations; dates are stored or sent to another process.
 *
 * Node counts a timer's milliseconds in 31 bits and fires a longer timer immediately: a limit of 30 days would end
 * every turn on its first tick.
 *
 *  TIMER-1  A timer fires once its whole duration has passed, never earlier, even where it takes several of Node's.
 *  TIMER-2  A cancelled timer does not fire.
 */

export interface Clock {
  /** The date, in ms since the epoch. */
  now(): number;
  /** Ms since an arbitrary moment of this process; it never goes back. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void;
  /** Runs `task` once at the end of this event-loop turn, after everything that the turn has received. */
  soon(task: () => void): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    if (delayMs > LONGEST_NODE_TIMER_MS) return startTimer(delayMs, task).cancel;
    // Each connection and each session has such a timer: one closure instead of four.
    const timer = setTimeout(task, Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
  soon: (task) => void setImmediate(task),
};

/** The longest duration that Node itself can wait for: about 24.8 days. */
export const LONGEST_NODE_TIMER_MS = 2 ** 31 - 1;

export interface Timer {
  cancel(): void;
  /** Counts the whole duration again, from now. */
  restart(): void;
}

export interface TimerOptions {
  /** A background timer does not keep the process alive. */
  readonly background?: boolean;
}

export function startTimer(durationMs: number, task: () => void, options: TimerOptions = {}): Timer {
  return new NodeTimer(durationMs, task, options.background === true);
}

/** A class, because a turn arms several timers: closures would allocate twice as much. */
class NodeTimer implements Timer {
  readonly #durationMs: number;
  readonly #task: () => void;
  readonly #isBackground: boolean;
  #leftMs = 0;
  #timer: NodeJS.Timeout;

  constructor(durationMs: number, task: () => void, isBackground: boolean) {
    this.#durationMs = durationMs;
    this.#task = task;
    this.#isBackground = isBackground;
    this.#timer = this.#arm(durationMs);
  }

  /** A field: callers pass it on without its timer. */
  readonly cancel = (): void => clearTimeout(this.#timer); // TIMER-2

  restart(): void {
    // The watchdog restarts a timer for each token: refresh() allocates nothing.
    if (this.#durationMs <= LONGEST_NODE_TIMER_MS) return void this.#timer.refresh();
    clearTimeout(this.#timer);
    this.#timer = this.#arm(this.#durationMs);
  }

  #arm(ms: number): NodeJS.Timeout {
    const stepMs = Math.min(ms, LONGEST_NODE_TIMER_MS);
    this.#leftMs = ms - stepMs;
    const timer = setTimeout(NodeTimer.#elapsed, stepMs, this);
    if (this.#isBackground) timer.unref();
    return timer;
  }

  static #elapsed(timer: NodeTimer): void {
    if (timer.#leftMs > 0)
      timer.#timer = timer.#arm(timer.#leftMs); // TIMER-1
    else timer.#task();
  }
}

/** Runs `task` every `everyMs`, first after `everyMs`. */
export function startInterval(everyMs: number, task: () => void, options: TimerOptions = {}): Timer {
  const timer = startTimer(
    everyMs,
    () => {
      timer.restart();
      task();
    },
    options,
  );
  return timer;
}

/** Lets everything else that waits have its turn: long work in pieces awaits it between them. */
export function nextTurn(): Promise<void> {
  return new Promise((resume) => systemClock.soon(resume));
}

/** Rejects with the signal's reason once the signal aborts. */
export function sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = startTimer(durationMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Aborts after `durationMs`, as AbortSignal.timeout does for durations that Node can wait for. */
export function timeoutSignal(durationMs: number): AbortSignal {
  if (durationMs <= LONGEST_NODE_TIMER_MS) return AbortSignal.timeout(durationMs);
  const controller = new AbortController();
  const expire = (): void => controller.abort(new DOMException('The operation timed out.', 'TimeoutError'));
  startTimer(durationMs, expire, { background: true });
  return controller.signal;
}
