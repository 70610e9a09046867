/**
 * A row's number is its time: the ms at which the session began, times 1,024, plus a slot. So the primary key sorts
 * by date, a cursor is one number, and the full-text index, which knows rows by number alone, reads newest first
 * without sorting.
 *
 * Sessions that began in one ms and find their slot taken try others; where a ms is crowded they spill over into
 * the next ones. Their order within that second is then arbitrary, and a range of dates has to ask `created_at` too.
 */
const SLOTS_PER_MS = 1_024;
const SPILL_MS = 1_024;

/** Where to try next: the first choice is the first slot, then ever wider guesses. */
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
