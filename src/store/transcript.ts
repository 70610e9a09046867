/** The transcript is stored as it was written; what was forgotten is left out when it is read. */
import type { TranscriptEntry, TranscriptRecord } from './contract.ts';

export function transcriptOf(entries: readonly string[]): readonly TranscriptEntry[] {
  const kept: TranscriptEntry[] = [];
  for (const entry of entries) {
    const record = JSON.parse(entry) as TranscriptRecord;
    if (!('forget' in record)) {
      kept.push(record);
      continue;
    }
    // From the back, because what is forgotten is nearly always the last turn.
    for (let index = kept.length - 1; index >= 0; index -= 1) {
      if (kept[index]?.turnId === record.forget) kept.splice(index, 1);
    }
  }
  return kept;
}
