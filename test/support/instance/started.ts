/**
 * `started` shares programs among the tests of a file or of a describe: they start before the first test and stop after
 * the last.
 *
 *  STARTED-1  Programs of one call start and stop together; those of a later call start later and stop sooner.
 *  STARTED-2  Every started program is stopped, even if another failed to start.
 */
import { afterAll, beforeAll } from 'vitest';

/** A bound on a wait: several processes start together on a busy machine. */
const HOOK_WITHIN_MS = 180_000;

type Stoppable = { stop(): unknown } | { close(): unknown };

/** Returns stand-ins for the programs, which a test can use as soon as it runs. */
export function started<T extends readonly Stoppable[]>(
  ...starts: { readonly [K in keyof T]: () => Promise<T[K]> }
): T {
  const running = new Map<number, Stoppable>();
  beforeAll(async () => {
    const all = starts.map(async (start, index) => running.set(index, await start()));
    const failed = (await Promise.allSettled(all)).find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }, HOOK_WITHIN_MS);
  afterAll(async () => {
    await Promise.all([...running.values()].map((one) => ('stop' in one ? one.stop() : one.close())));
  }, HOOK_WITHIN_MS);
  return starts.map((_, index) => standIn(() => running.get(index))) as readonly Stoppable[] as T;
}

function standIn(find: () => Stoppable | undefined): Stoppable {
  return new Proxy({} as Stoppable, {
    get(_, name) {
      const one = find();
      if (one === undefined) throw new Error(`${String(name)} was read of a program that does not run`);
      return Reflect.get(one, name);
    },
  });
}
