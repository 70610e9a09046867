/** A transcript without the turns that clients took back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TranscriptEntry, TranscriptRecord } from '../../../src/store/contract.ts';
import { applyRecords } from '../../../src/store/log.ts';

const entry = (turnId: string, content: string): TranscriptEntry => ({
  role: 'user',
  content,
  turnId,
  at: 1,
});

/** The rule, one record at a time. */
function oneByOne(records: readonly TranscriptRecord[]): readonly TranscriptEntry[] {
  let kept: TranscriptEntry[] = [];
  for (const record of records) {
    if ('forget' in record) kept = kept.filter(({ turnId }) => turnId !== record.forget);
    else kept.push(record);
  }
  return kept;
}

describe('transcript records', () => {
  it('any records leave the entries that no later record forgets, in their order, wherever a page ends', () => {
    const turnId = fc.constantFrom('a', 'b', 'c', 'd');
    const record = fc.oneof(
      fc.tuple(turnId, fc.string()).map(([id, content]) => entry(id, content)),
      turnId.map((forget) => ({ forget })),
    );
    fc.assert(
      fc.property(fc.array(record), fc.nat(), (records, cut) => {
        const kept: TranscriptEntry[] = [];
        const end = cut % (records.length + 1);
        applyRecords(kept, records.slice(0, end));
        applyRecords(kept, records.slice(end));
        expect(kept).toEqual(oneByOne(records));
      }),
    );
  });

  it('thousands of turns that are taken back together cost one look at each entry', () => {
    let reads = 0;
    const kept = Array.from({ length: 3_000 }, (_, index) => ({
      ...entry('', String(index)),
      get turnId() {
        reads += 1;
        return String(index);
      },
    }));
    const records = kept.map((_, index) => ({ forget: String(index) }));
    const entries: TranscriptEntry[] = [...kept];
    applyRecords(entries, records);
    expect(entries).toEqual([]);
    expect(reads).toBe(kept.length);
  });
});
