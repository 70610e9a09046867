/**
 * Seals everything that a store keeps of a conversation: snapshots, frames, transcript, inbox and history, each bound to its session
 * and place. Callers see plain records. A reader of the store's files, dumps or connection sees only ids, states and times.
 *
 *  SEALED-1  A text that no key opens never passes for an absent one. A claim returns a snapshot that no machine can read,
 *            every other read rejects, and the stored text stays.
 *  SEALED-2  A hint that no key opens becomes a `moved` hint; the reader then gets the frames from the log.
 */
import { nextTurn } from '../../clock.ts';
import type { Hint, Store, TranscriptEntry } from '../contract.ts';
import type { RecordCipher } from './record-cipher.ts';

const OPENED_AT_ONCE = 32;

export function sealedStore(store: Store, cipher: RecordCipher): Store {
  function openedHint(hint: Hint): Hint {
    if (hint.kind === 'moved') return hint;
    const { sessionId } = hint;
    try {
      return { ...hint, frames: cipher.openFrames(sessionId, hint.frames) };
    } catch {
      return { kind: 'moved', sessionId };
    }
  }

  return {
    ...store,
    async claim(sessionId, instance) {
      const outcome = await store.claim(sessionId, instance);
      if (outcome.kind === 'held' || outcome.record === null) return outcome;
      return { ...outcome, record: cipher.snapshotOrSealed(sessionId, outcome.record) };
    },
    commit(fence, commit) {
      if (!cipher.seals) return store.commit(fence, commit);
      const { sessionId } = fence;
      return store.commit(fence, {
        ...commit,
        snapshot: cipher.sealSnapshot(sessionId, commit.expectedVersion + 1, commit.snapshot),
        frames: cipher.sealFrames(sessionId, commit.frames),
        transcript: cipher.sealTranscript(sessionId, commit.transcript),
        ...(commit.history === undefined ? {} : { history: cipher.sealHistory(sessionId, commit.history) }),
      });
    },
    append(fence, append) {
      if (!cipher.seals) return store.append(fence, append);
      return store.append(fence, { ...append, frames: cipher.sealFrames(fence.sessionId, append.frames) });
    },
    async read(sessionId) {
      const record = await store.read(sessionId);
      return record === null ? null : cipher.openRecord(sessionId, record);
    },
    async readLog(sessionId, after, limit) {
      const page = await store.readLog(sessionId, after, limit);
      return page === null ? null : { ...page, frames: cipher.openFrames(sessionId, page.frames) };
    },
    async readTranscript(sessionId) {
      const entries = await store.readTranscript(sessionId);
      const opened: TranscriptEntry[] = [];
      for (let from = 0; from < entries.length; from += OPENED_AT_ONCE) {
        // A long transcript would hold the event loop.
        if (from > 0) await nextTurn();
        opened.push(...cipher.openTranscript(sessionId, entries.slice(from, from + OPENED_AT_ONCE)));
      }
      return opened;
    },
    async readHistory(sessionId) {
      const found = await store.readHistory(sessionId);
      if (found === null) return null;
      const record = cipher.openRecord(sessionId, found.record);
      return { record, history: cipher.openHistory(sessionId, found.history) };
    },
    async export(sessionId) {
      const dump = await store.export(sessionId);
      return dump === null ? null : cipher.openDump(dump);
    },
    import(dump, mode) {
      const { sessionId, record } = dump;
      return store.import(
        {
          ...dump,
          record: { ...record, snapshot: cipher.sealSnapshot(sessionId, record.version, record.snapshot) },
          frames: cipher.sealFrames(sessionId, dump.frames),
          transcript: cipher.sealTranscript(sessionId, dump.transcript),
          inbox: dump.inbox.map((entry) => cipher.sealInput(sessionId, entry)),
          history: dump.history.map((one) => cipher.sealHistory(sessionId, one)),
        },
        mode,
      );
    },
    push: (sessionId, entry) => store.push(sessionId, cipher.sealInput(sessionId, entry)),
    async readInbox(sessionId) {
      const entries = await store.readInbox(sessionId);
      return entries.map((entry) => cipher.inputOrSealed(sessionId, entry));
    },
    onHint: (listener) => store.onHint((hint) => listener(openedHint(hint))),
  };
}
