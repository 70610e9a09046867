/** Finds the sessions of a bucket that are due and have no owner. */
import type { Swept } from '../contract.ts';
import { type Context, isHeld } from './writes.ts';

const ABANDONED_PER_SWEEP = 100;

export function sweep(
  context: Context,
  bucket: number,
  now: number,
  limit: number,
  visibilityMs: number,
): Swept {
  const { sql } = context;
  const clock = context.now();
  for (const { n } of sql.abandoned(bucket, clock, ABANDONED_PER_SWEEP)) sql.forget(n);

  const shown: string[] = [];
  while (shown.length < limit) {
    const rows = sql.due(bucket, now, limit - shown.length);
    if (rows.length === 0) break;
    for (const row of rows) {
      const isDue = row.inboxLength > 0 || (row.dueAt !== null && row.dueAt <= now);
      if (!isDue) {
        sql.wakeAt(row.dueAt, 0, row.n);
      } else if (isHeld(row, clock, context.options)) {
        // The session has an owner. If that owner dies, only this index knows the deadline: look again after the lease.
        sql.wakeAt(now + Math.max(1, row.leaseUntil - clock), 0, row.n);
      } else {
        const again = now + Math.max(1, visibilityMs);
        sql.wakeAt(again, again, row.n);
        shown.push(row.id);
      }
    }
  }
  // `lost` is empty: the row of a session is also its entry in the index.
  return { due: shown, nextAt: sql.nextWake(bucket)?.nextAt ?? null, lost: [] };
}
