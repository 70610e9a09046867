/**
 * What of a session's records carries words of a conversation, sealed on the way in and opened on the way out.
 * Everything else (ids, offsets, versions, states, deadlines) stays as it is: the store works with it.
 */

import { CodedError } from '../../errors.ts';
import type { SealingKeys } from '../../sealing/keys.ts';
import { createSealer, isSealed, type Sealer } from '../../sealing/sealer.ts';
import type {
  SessionDump,
  SessionRecord,
  StoredFrame,
  TranscriptEntry,
  TranscriptRecord,
} from '../contract.ts';
import { places } from './places.ts';

export interface RecordCipher {
  sealSnapshot(sessionId: string, version: number, snapshot: string): string;
  sealFrames(sessionId: string, frames: readonly StoredFrame[]): readonly StoredFrame[];
  sealTranscript<Entry extends TranscriptRecord>(
    sessionId: string,
    entries: readonly Entry[],
  ): readonly Entry[];
  sealInput(sessionId: string, input: string): string;
  /** The sealed text itself where it cannot be opened: no reader takes it for a snapshot. */
  snapshotOrSealed(sessionId: string, record: SessionRecord): SessionRecord;
  /** The sealed text itself where it cannot be opened: the owner refuses it as input, and goes on to the next. */
  inputOrSealed(sessionId: string, stored: string): string;
  /** All that follow reject with the code STORE_SEALED where one of the texts cannot be opened. */
  openRecord(sessionId: string, record: SessionRecord): SessionRecord;
  openFrames(sessionId: string, frames: readonly StoredFrame[]): readonly StoredFrame[];
  openTranscript<Entry extends TranscriptRecord>(
    sessionId: string,
    entries: readonly Entry[],
  ): readonly Entry[];
  openDump(dump: SessionDump): SessionDump;
}

export interface RecordCipherOptions extends SealingKeys {
  /** Told of every text that could not be opened; never of what is in it. */
  readonly onUnopened: (sessionId: string, place: string, why: string) => void;
}

interface Texts {
  readonly text: string;
  readonly second: string | null;
}

export function createRecordCipher({ keys, plain, onUnopened }: RecordCipherOptions): RecordCipher {
  const sealer = createSealer(keys, 'store');

  function opened(sessionId: string, place: string, stored: string): Texts | null {
    if (plain === 'read' && !isSealed(stored)) return { text: stored, second: null };
    const found = sealer.open(sessionId, place, stored);
    if (found.kind === 'opened') return found;
    onUnopened(sessionId, place, found.why);
    return null;
  }

  function mustOpen(sessionId: string, place: string, stored: string): Texts {
    const found = opened(sessionId, place, stored);
    if (found !== null) return found;
    const words = `${place} of session ${sessionId} cannot be opened with the keys of this instance`;
    throw new CodedError('STORE_SEALED', `sealed store: ${words}`);
  }

  const openRecord: RecordCipher['openRecord'] = (sessionId, record) => ({
    ...record,
    snapshot: mustOpen(sessionId, places.snapshot(record.version), record.snapshot).text,
  });
  const openFrames: RecordCipher['openFrames'] = (sessionId, frames) => {
    if (plain === 'read' && !frames.some(({ data }) => isSealed(data))) return frames;
    return frames.map((frame) => {
      const { text, second } = mustOpen(sessionId, places.frame(frame.offset), frame.data);
      const aux = second ?? frame.aux;
      return { offset: frame.offset, data: text, ...(aux === undefined ? {} : { aux }) };
    });
  };
  const openTranscript: RecordCipher['openTranscript'] = (sessionId, entries) =>
    entries.map((entry) => {
      if (!isSaid(entry)) return entry;
      const { text, second } = mustOpen(sessionId, places.said(entry.turnId, entry.role), entry.content);
      return { ...entry, content: text, ...(second === null ? {} : { author: second }) };
    });
  const inputOrSealed: RecordCipher['inputOrSealed'] = (sessionId, stored) =>
    opened(sessionId, places.inbox, stored)?.text ?? unreadable(stored);

  return {
    ...(keys.length === 0 ? CLEAR : sealingWith(sealer)),
    snapshotOrSealed: (sessionId, record) => {
      const found = opened(sessionId, places.snapshot(record.version), record.snapshot);
      return { ...record, snapshot: found?.text ?? unreadable(record.snapshot) };
    },
    inputOrSealed,
    openRecord,
    openFrames,
    openTranscript,
    openDump: (dump) => ({
      ...dump,
      record: openRecord(dump.sessionId, dump.record),
      frames: openFrames(dump.sessionId, dump.frames),
      transcript: openTranscript(dump.sessionId, dump.transcript),
      inbox: dump.inbox.map((entry) => mustOpen(dump.sessionId, places.inbox, entry).text),
    }),
  };
}

type Sealing = Pick<RecordCipher, 'sealSnapshot' | 'sealFrames' | 'sealTranscript' | 'sealInput'>;

function sealingWith(sealer: Sealer): Sealing {
  return {
    sealSnapshot: (sessionId, version, snapshot) =>
      sealer.seal(sessionId, places.snapshot(version), snapshot),
    sealFrames: (sessionId, frames) =>
      frames.map(({ offset, data, aux }) => ({
        offset,
        data: sealer.seal(sessionId, places.frame(offset), data, aux),
      })),
    sealTranscript: (sessionId, entries) =>
      entries.map((entry) => {
        if (!isSaid(entry)) return entry;
        const { author, ...rest } = entry;
        const content = sealer.seal(sessionId, places.said(entry.turnId, entry.role), entry.content, author);
        return { ...rest, content } as typeof entry;
      }),
    sealInput: (sessionId, input) => sealer.seal(sessionId, places.inbox, input),
  };
}

/** Without a key there is nothing to seal with. */
const CLEAR: Sealing = {
  sealSnapshot: (_sessionId, _version, snapshot) => snapshot,
  sealFrames: (_sessionId, frames) => frames,
  sealTranscript: (_sessionId, entries) => entries,
  sealInput: (_sessionId, input) => input,
};

/** A plain value that is refused is valid JSON, and would be taken for what it says. */
function unreadable(stored: string): string {
  return isSealed(stored) ? stored : `~${stored}`;
}

function isSaid(entry: TranscriptRecord): entry is TranscriptEntry {
  return 'content' in entry;
}
