/**
 * Admission: so many requests run, so many wait in silence, the rest are refused.
 *
 * E1  A slot that leaves, for whatever reason and however often it says so, is given on exactly once.
 * E2  Who waits is served in the order of arrival; a waiting client that leaves is skipped.
 */
export interface Slot {
  /** Resolves when it is this request's turn. */
  readonly turn: Promise<void>;
  leave(): void;
}

export interface Engine {
  readonly running: number;
  readonly waiting: number;
  /** null: refused. */
  enter(): Slot | null;
}

export function createEngine(maxConcurrent: number, maxQueued: number): Engine {
  let running = 0;
  const queue = new Set<() => void>();

  function giveOn(): void {
    running -= 1;
    const next = queue.values().next().value;
    if (next === undefined) return;
    queue.delete(next); // E2
    running += 1;
    next();
  }

  return {
    get running() {
      return running;
    },
    get waiting() {
      return queue.size;
    },
    enter() {
      let place: 'running' | 'queued' | 'left' = 'queued';
      if (running < maxConcurrent) {
        running += 1;
        place = 'running';
      } else if (queue.size >= maxQueued) {
        return null;
      }
      let begin: () => void = () => {};
      const turn =
        place === 'running'
          ? Promise.resolve()
          : new Promise<void>((resolve) => {
              begin = () => {
                place = 'running';
                resolve();
              };
              queue.add(begin);
            });
      return {
        turn,
        leave() {
          const was = place;
          place = 'left'; // E1
          if (was === 'running') giveOn();
          if (was === 'queued') queue.delete(begin);
        },
      };
    },
  };
}
