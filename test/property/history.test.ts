/** A history tells all that the machine needs to go the same way again, and no word of the conversation. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HistoryRecord } from '../../src/session/history/record.ts';
import { replay } from '../../src/session/history/replay.ts';
import { recorded } from '../support/machine/recorded-life.ts';
import { lives } from '../support/machine/session-lives.ts';

const RUNS = { numRuns: 300 };

describe('the history of any life of a session', () => {
  it('a replayed history reaches the state of the session in every field that is no content', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        const { history } = recorded(moments);
        expect(replay(history)).toEqual({ kind: 'equal', records: history.records.length });
      }),
      RUNS,
    );
  });

  it('a history has no word of a question, an answer, a summary or a patient', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        const { texts, history } = recorded(moments);
        const written = JSON.stringify([texts, history]);
        for (const word of ['question', 'said so far', 'asked']) expect(written).not.toContain(word);
      }),
      RUNS,
    );
  });

  it('a replay finds a record that was removed, changed or swapped with the next one', () => {
    fc.assert(
      fc.property(lives, fc.nat(), fc.nat(4), (moments, place, how) => {
        const { history } = recorded(moments);
        const records = [...history.records];
        const at = place % records.length;
        const tampered = tamperings[how]?.(records, at) ?? null;
        fc.pre(tampered !== null);
        expect(replay({ ...history, records: tampered ?? [] }).kind).not.toBe('equal');
      }),
      RUNS,
    );
  });

  it('a history whose beginning was dropped is not whole, and its gaps are still found', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        const { history } = recorded(moments);
        fc.pre(history.records.length > 2);
        expect(replay({ ...history, records: history.records.slice(1) }).kind).toBe('incomplete');
        const [, first, , ...rest] = history.records as [HistoryRecord, ...HistoryRecord[]];
        fc.pre(rest.length > 0 && first !== undefined);
        expect(replay({ ...history, records: [first as HistoryRecord, ...rest] }).kind).toBe('misfit');
      }),
      RUNS,
    );
  });
});

type Tampering = (records: readonly HistoryRecord[], at: number) => readonly HistoryRecord[] | null;

const changed = (records: readonly HistoryRecord[], at: number, change: Partial<HistoryRecord>) =>
  records.map((record, place) => (place === at ? { ...record, ...change } : record));

const tamperings: readonly Tampering[] = [
  (records, at) => records.filter((_, place) => place !== at),
  (records, at) => {
    const [one, other] = [records[at], records[at + 1]];
    if (one === undefined || other === undefined) return null;
    return [...records.slice(0, at), other, one, ...records.slice(at + 2)];
  },
  (records, at) => changed(records, at, { to: 'expired.elsewhere' }),
  (records, at) => changed(records, at, { taken: [{ guard: 'mayNot', actions: ['refuse'] }] }),
  (records, at) => changed(records, at, { event: { type: 'recovered' } }),
];
