/** Calls both stores of a rollout. If one fails, heartbeats and sweeps go on with the other. */
import type { Store, StoreHealth, Swept } from '../contract.ts';

export type Both = readonly [old: Store, newer: Store];

export async function onBoth<T>(both: Both, call: (store: Store) => Promise<T>): Promise<readonly T[]> {
  return Promise.all(both.map(call));
}

/** The answers; rejects if both stores fail. */
async function answersOf<T>(both: Both, call: (store: Store) => Promise<T>): Promise<readonly T[]> {
  const settled = await Promise.allSettled(both.map(call));
  const answers = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const [first] = settled;
  if (answers.length === 0 && first?.status === 'rejected') throw first.reason;
  return answers;
}

/** An instance is live if either store knows it. */
export async function heartbeat(both: Both, instance: string, ttlMs: number): Promise<readonly string[]> {
  const alive = await answersOf(both, (store) => store.heartbeat(instance, ttlMs));
  return [...new Set(alive.flat())].sort();
}

export async function sweep(
  both: Both,
  bucket: number,
  now: number,
  limit: number,
  visibilityMs: number,
): Promise<Swept> {
  const answers: Swept[] = [];
  let failure: unknown;
  // In turn, because a store hides what it returns: both together must not exceed the limit.
  let left = limit;
  for (const store of both) {
    try {
      const swept = await store.sweep(bucket, now, left, visibilityMs);
      answers.push(swept);
      left -= swept.due.length;
    } catch (error) {
      failure = error;
    }
  }
  if (answers.length === 0) throw failure;
  const times = answers.flatMap(({ nextAt }) => (nextAt === null ? [] : [nextAt]));
  return {
    due: answers.flatMap(({ due }) => due),
    nextAt: times.length === 0 ? null : Math.min(...times),
    lost: answers.flatMap(({ lost }) => lost),
  };
}

export async function health(both: Both, percent: number): Promise<StoreHealth> {
  const [old, newer] = await Promise.all([both[0].health(), both[1].health()]);
  const nameOf = ({ kind, detail }: StoreHealth) => `${kind} (${detail ?? ''})`;
  return {
    ok: old.ok && newer.ok,
    kind: old.kind,
    durability:
      old.durability === newer.durability ? old.durability : `${old.durability}; ${newer.durability}`,
    detail: `${percent} % of new sessions in ${nameOf(newer)}, the others in ${nameOf(old)}`,
  };
}
