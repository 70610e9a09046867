/** Checks, trims and reads a session's log and transcript; every store uses these rules. */
import type { Append, StoredFrame, TranscriptEntry, TranscriptRecord } from './contract.ts';

/** Number of log frames that the hint of an end repeats. A watcher that keeps up is one or two frames behind. */
export const TAIL_FRAMES = 64;
const TAIL_BYTES = 65_536;

/** The type of a frame whose data is sealed, damaged, or not a frame. */
export const UNREADABLE = 'unreadable';

/** Rebuilds a frame from the parts that a store keeps. */
export function storedFrame(offset: number, data: string, aux?: string | null): StoredFrame {
  const { type, epoch } = headOf(data);
  return { offset, type, epoch, data, ...(aux === undefined || aux === null ? {} : { aux }) };
}

const NO_HEAD = { type: UNREADABLE, epoch: 0 } as const;

function headOf(data: string): Pick<StoredFrame, 'type' | 'epoch'> {
  // The sealed store reads the head of sealed data once it has opened it. Parsing here would throw for each frame.
  if (!data.startsWith('{')) return NO_HEAD;
  try {
    const { type, epoch } = JSON.parse(data) as Partial<StoredFrame>;
    return typeof type === 'string' && typeof epoch === 'number' ? { type, epoch } : NO_HEAD;
  } catch {
    return NO_HEAD;
  }
}

/** No later write can repair a gap in the log, so this throws before the store sends anything. */
export function assertContinues(head: number, frames: readonly StoredFrame[]): void {
  for (const [index, frame] of frames.entries()) {
    if (frame.offset !== head + index + 1)
      throw new Error(`frame ${frame.offset} does not continue a log whose head is ${head} (place ${index})`);
  }
}

/** The number of frames that the log keeps after the write. */
export function logMaxAfter(
  { expectedHead, frames, keepFrom }: Pick<Append, 'expectedHead' | 'frames' | 'keepFrom'>,
  frameLogMax: number,
): number {
  if (keepFrom === undefined) return frameLogMax;
  return Math.max(frameLogMax, expectedHead + frames.length - keepFrom + 1);
}

/** The newest of `frames` within the limits of a hint, in order. `commit.lua` has the same rule. */
export function tailOf(frames: readonly StoredFrame[]): readonly StoredFrame[] {
  const tail: StoredFrame[] = [];
  let bytes = 0;
  for (const { aux: _, ...frame } of frames.slice(-TAIL_FRAMES).toReversed()) {
    bytes += Buffer.byteLength(frame.data);
    if (bytes > TAIL_BYTES) break;
    tail.push(frame);
  }
  return tail.toReversed();
}

/** Entries after a place in a transcript. */
export interface TranscriptPage {
  readonly entries: readonly string[];
  /** Where the next page begins; null after the last one. */
  readonly next: number | null;
}

/**
 * Reads the transcript, without its forgotten turns, page by page: a store that read a long one at once would delay every
 * session of the instance. `read` returns null if the session has ended meanwhile: nothing is left of it.
 */
export async function transcriptOf(
  read: (from: number) => Promise<TranscriptPage | null>,
): Promise<readonly TranscriptEntry[]> {
  const kept: TranscriptEntry[] = [];
  for (let from: number | null = 0; from !== null; ) {
    const page: TranscriptPage | null = await read(from);
    if (page === null) return [];
    addRecords(kept, page.entries);
    from = page.next;
  }
  return kept;
}

function addRecords(kept: TranscriptEntry[], entries: readonly string[]): void {
  applyRecords(
    kept,
    entries.map((entry) => JSON.parse(entry) as TranscriptRecord),
  );
}

/** Adds records to the entries in place. One pass forgets all turns of a `regenerate`: it may take back thousands. */
export function applyRecords(kept: TranscriptEntry[], records: readonly TranscriptRecord[]): void {
  const forgotten = new Set<string>();
  const forget = () => {
    if (forgotten.size === 0) return;
    let size = 0;
    for (const entry of kept) {
      if (forgotten.has(entry.turnId)) continue;
      kept[size] = entry;
      size += 1;
    }
    kept.length = size;
    forgotten.clear();
  };
  for (const record of records) {
    if ('forget' in record) forgotten.add(record.forget);
    else {
      forget();
      kept.push(record);
    }
  }
  forget();
}
