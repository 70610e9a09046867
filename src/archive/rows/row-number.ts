/**
 * Computes the number of a row from its time: the ms of the session's beginning, times 1,024, plus a slot. So the primary
 * key sorts by date, a cursor is one number, and the full-text index, which knows only numbers, returns newest first
 * without a sort.
 *
 * A session whose slot is taken tries another one, and from a crowded ms it moves into the next ones. Order within a second
 * is then arbitrary, so a query by date must also compare `created_at`.
 */
const SLOTS_PER_MS = 1_024;
const SPILL_MS = 1_024;

/** The row number of an attempt: first the first slot, then a random one in an ever wider range. */
export function rowNumberOf(createdAt: number, attempt: number): number {
  const first = createdAt * SLOTS_PER_MS;
  if (attempt === 0) return first;
  const width = SLOTS_PER_MS * Math.min(SPILL_MS, 2 ** Math.floor(attempt / 4));
  return first + Math.floor(Math.random() * width);
}

/** No session that began at `from` or later has a smaller number. */
export function firstRowNumber(from: number | undefined): number {
  return from === undefined ? 0 : Math.max(0, Math.ceil(from)) * SLOTS_PER_MS;
}

/** Every session that began before `to` has a smaller number. */
export function rowNumberAfter(to: number | undefined): number {
  const after = to === undefined ? Number.MAX_SAFE_INTEGER : (Math.ceil(to) + SPILL_MS) * SLOTS_PER_MS;
  return Math.min(after, Number.MAX_SAFE_INTEGER);
}
