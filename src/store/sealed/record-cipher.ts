/**
 * Seals and opens the fields of a session's records that carry a conversation. The others (ids, offsets, versions, states,
 * deadlines) stay plain, because the store works with them.
 */

import type { SealingKeys } from '../../sealing/key-ring.ts';
import { createSealer, isSealed, type Sealer } from '../../sealing/sealer.ts';
import type {
  SessionDump,
  SessionRecord,
  StoredFrame,
  TranscriptEntry,
  TranscriptRecord,
} from '../contract.ts';
import { storeError } from '../failure.ts';
import { storedFrame } from '../log.ts';

export interface RecordCipher {
  /** False without a key: what this instance writes stays plain. */
  readonly seals: boolean;
  sealSnapshot(sessionId: string, version: number, snapshot: string): string;
  sealFrames(sessionId: string, frames: readonly StoredFrame[]): readonly StoredFrame[];
  sealTranscript<Entry extends TranscriptRecord>(
    sessionId: string,
    entries: readonly Entry[],
  ): readonly Entry[];
  sealInput(sessionId: string, input: string): string;
  sealHistory(sessionId: string, record: string): string;
  /** Keeps the sealed text if no key opens it: no reader takes it for a snapshot. */
  snapshotOrSealed(sessionId: string, record: SessionRecord): SessionRecord;
  /** Keeps the sealed text if no key opens it: the owner refuses it as input and takes the next. */
  inputOrSealed(sessionId: string, stored: string): string;
  /** This method and those below throw STORE_SEALED if no key opens one of the texts. */
  openRecord(sessionId: string, record: SessionRecord): SessionRecord;
  openFrames(sessionId: string, frames: readonly StoredFrame[]): readonly StoredFrame[];
  openTranscript<Entry extends TranscriptRecord>(
    sessionId: string,
    entries: readonly Entry[],
  ): readonly Entry[];
  openHistory(sessionId: string, records: readonly string[]): readonly string[];
  openDump(dump: SessionDump): SessionDump;
}

export interface RecordCipherOptions extends SealingKeys {
  /** Gets every text that no key opens, without its content. */
  readonly onUnopened: (sessionId: string, place: string, why: string) => void;
}

export const STORE_PURPOSE = 'store';

/** The place of a sealed text within its session. A text opens in no other place, so records cannot be swapped. */
export const places = {
  snapshot: (version: number) => `snapshot/${version}`,
  frame: (offset: number) => `frame/${offset}`,
  said: (turnId: string, role: string) => `said/${role}/${turnId}`,
  inbox: 'inbox',
  /** Each record names its version, or counts on from one that does. */
  history: 'history',
} as const;

interface OpenedText {
  readonly text: string;
  readonly second: string | null;
}

export function createRecordCipher({ ring, plain, onUnopened }: RecordCipherOptions): RecordCipher {
  const sealer = createSealer(ring, STORE_PURPOSE);
  const seals = ring.current().length > 0;

  function opened(sessionId: string, place: string, stored: string): OpenedText | null {
    if (plain === 'read' && !isSealed(stored)) return { text: stored, second: null };
    const found = sealer.open(sessionId, place, stored);
    if (found.kind === 'opened') return found;
    onUnopened(sessionId, place, found.why);
    return null;
  }

  function mustOpen(sessionId: string, place: string, stored: string): OpenedText {
    const found = opened(sessionId, place, stored);
    if (found !== null) return found;
    const words = `${place} of session ${sessionId} cannot be opened with the keys of this instance`;
    throw storeError('STORE_SEALED', `sealed store: ${words}`);
  }

  const openRecord: RecordCipher['openRecord'] = (sessionId, record) => ({
    ...record,
    snapshot: mustOpen(sessionId, places.snapshot(record.version), record.snapshot).text,
  });
  const openFrames: RecordCipher['openFrames'] = (sessionId, frames) => {
    if (plain === 'read' && !frames.some(({ data }) => isSealed(data))) return frames;
    return frames.map((frame) => {
      const { text, second } = mustOpen(sessionId, places.frame(frame.offset), frame.data);
      return storedFrame(frame.offset, text, second ?? frame.aux);
    });
  };
  const openTranscript: RecordCipher['openTranscript'] = (sessionId, entries) =>
    entries.map((entry) => {
      if (!isEntry(entry)) return entry;
      const { text, second } = mustOpen(sessionId, places.said(entry.turnId, entry.role), entry.content);
      return { ...entry, content: text, ...(second === null ? {} : { author: second }) };
    });

  const openHistory: RecordCipher['openHistory'] = (sessionId, records) =>
    records.map((record) => mustOpen(sessionId, places.history, record).text);

  return {
    seals,
    ...(seals ? sealingWith(sealer) : PLAIN),
    snapshotOrSealed: (sessionId, record) => {
      const found = opened(sessionId, places.snapshot(record.version), record.snapshot);
      return { ...record, snapshot: found?.text ?? unreadable(record.snapshot) };
    },
    inputOrSealed: (sessionId, stored) => opened(sessionId, places.inbox, stored)?.text ?? unreadable(stored),
    openRecord,
    openFrames,
    openTranscript,
    openHistory,
    openDump: (dump) => ({
      ...dump,
      record: openRecord(dump.sessionId, dump.record),
      frames: openFrames(dump.sessionId, dump.frames),
      transcript: openTranscript(dump.sessionId, dump.transcript),
      inbox: dump.inbox.map((entry) => mustOpen(dump.sessionId, places.inbox, entry).text),
      history: openHistory(dump.sessionId, dump.history),
    }),
  };
}

type Sealing = Pick<
  RecordCipher,
  'sealSnapshot' | 'sealFrames' | 'sealTranscript' | 'sealInput' | 'sealHistory'
>;

function sealingWith(sealer: Sealer): Sealing {
  return {
    sealSnapshot: (sessionId, version, snapshot) =>
      sealer.seal(sessionId, places.snapshot(version), snapshot),
    sealFrames: (sessionId, frames) =>
      frames.map(({ aux, ...frame }) => ({
        ...frame,
        data: sealer.seal(sessionId, places.frame(frame.offset), frame.data, aux),
      })),
    sealTranscript: (sessionId, entries) =>
      entries.map((entry) => {
        if (!isEntry(entry)) return entry;
        const { author, ...rest } = entry;
        const content = sealer.seal(sessionId, places.said(entry.turnId, entry.role), entry.content, author);
        return { ...rest, content } as typeof entry;
      }),
    sealInput: (sessionId, input) => sealer.seal(sessionId, places.inbox, input),
    sealHistory: (sessionId, record) => sealer.seal(sessionId, places.history, record),
  };
}

const PLAIN: Sealing = {
  sealSnapshot: (_sessionId, _version, snapshot) => snapshot,
  sealFrames: (_sessionId, frames) => frames,
  sealTranscript: (_sessionId, entries) => entries,
  sealInput: (_sessionId, input) => input,
  sealHistory: (_sessionId, record) => record,
};

/** Marks a refused plain value: it is valid JSON, so a reader would accept it. */
function unreadable(stored: string): string {
  return isSealed(stored) ? stored : `~${stored}`;
}

export function isEntry(entry: TranscriptRecord): entry is TranscriptEntry {
  return 'content' in entry;
}
