/** Scrubs that are asked for while one runs share the next: each begins after what it is to get rid of was deleted. */
export function sharedPurge(scrub: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | null = null;

  async function turn(): Promise<void> {
    await last.catch(() => {});
    next = null;
    await scrub();
  }

  return () => {
    if (next !== null) return next;
    const mine = turn();
    next = mine;
    last = mine;
    return mine;
  };
}
