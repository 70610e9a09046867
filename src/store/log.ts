import type { Append, StoredFrame } from './contract.ts';

/** A gap in the log could never be repaired, so a caller that would write one is stopped before anything is sent. */
export function assertContinues(head: number, frames: readonly StoredFrame[]): void {
  for (const [index, frame] of frames.entries()) {
    if (frame.offset !== head + index + 1) {
      throw new Error(`frame ${frame.offset} does not continue a log whose head is ${head} (place ${index})`);
    }
  }
}

/** How many frames stay in the log after the write. */
export function logMaxAfter(
  { expectedHead, frames, keepFrom }: Pick<Append, 'expectedHead' | 'frames' | 'keepFrom'>,
  frameLogMax: number,
): number {
  if (keepFrom === undefined) return frameLogMax;
  return Math.max(frameLogMax, expectedHead + frames.length - keepFrom + 1);
}
