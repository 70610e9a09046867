/**
 * Runs the erasures of this instance one after another, because each may rewrite the files of store and archive.
 *
 *  ERASURE-QUEUE-1  At most one erasure runs, and at most WAITING_MAX wait; a further one is refused as `overloaded`.
 *  ERASURE-QUEUE-2  A failed erasure does not keep the next one from running.
 */
import { Refusal } from '../core/answer.ts';

export const WAITING_MAX = 16;

export interface ErasureQueue {
  run<T>(erase: () => Promise<T>): Promise<T>;
}

export function createErasureQueue(): ErasureQueue {
  let unfinished = 0;
  let last: Promise<unknown> = Promise.resolve();

  return {
    async run(erase) {
      if (unfinished > WAITING_MAX) throw new Refusal('overloaded');
      unfinished += 1;
      const erasing = last.then(erase).finally(() => {
        unfinished -= 1;
      });
      last = erasing.catch(() => {});
      return erasing;
    },
  };
}
