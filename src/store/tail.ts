/**
 * What the watchers of a session are told again when it ends and its log goes: the last frames, for those that had not
 * read them yet. A follower that keeps up is behind by one or two; more than these are no longer told.
 */
import type { StoredFrame } from './contract.ts';

export const TAIL_FRAMES = 64;
const RECAP_BYTES = 65_536;

/** The newest of `frames` that are few and short enough, in order. */
export function tailOf(frames: readonly StoredFrame[]): readonly StoredFrame[] {
  const told: StoredFrame[] = [];
  let bytes = 0;
  for (const { offset, data } of frames.slice(-TAIL_FRAMES).toReversed()) {
    bytes += Buffer.byteLength(data);
    if (bytes > RECAP_BYTES) break;
    told.push({ offset, data });
  }
  return told.toReversed();
}
