/** Compares documented examples with what an instance sends: same frames, same order, same fields. */

type Json = Readonly<Record<string, unknown>>;

/** Values that a reader of the documents relies on; of all others only the kind counts. */
const EXACT = new Set([
  'type',
  'message_id',
  'code',
  'message',
  'detail',
  'retryable',
  'reason',
  'state',
  'value',
]);

/** A value with the kinds of its fields in place of what differs from run to run. */
export function shapeOf(value: unknown, name = ''): unknown {
  if (name === 'window') return 'any';
  if (Array.isArray(value)) return 'list';
  if (typeof value !== 'object' || value === null) return EXACT.has(name) ? value : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shapeOf(one, key)]));
}

/** A row of deltas counts as one: their number depends on the model's pace. */
export function shapesOf(frames: readonly Json[]): readonly unknown[] {
  return frames
    .filter((frame, index) => frame.type !== 'delta' || frames[index - 1]?.type !== 'delta')
    .map((frame) => shapeOf(frame));
}
