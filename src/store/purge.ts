/**
 * Lets simultaneous callers share a purge. A call during a purge waits for the next one, because the running purge may
 * already have passed the bytes that the caller deleted.
 */
export function sharedPurge(purge: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | null = null;

  async function afterLast(): Promise<void> {
    await last.catch(() => {});
    next = null;
    await purge();
  }

  return () => {
    if (next === null) {
      next = afterLast();
      last = next;
    }
    return next;
  };
}
