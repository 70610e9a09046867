/**
 * A store whose words lie sealed in the one below: snapshots, frames, transcript and inbox go in encrypted, bound to
 * their session and place, and come out opened. Who uses it notices nothing; who reads the one below, its dump, its
 * files or its line learns ids, states and times.
 *
 *  L1  What cannot be opened is never taken for what is not there: a claim hands out a snapshot that no machine can
 *      read, every other way rejects. Nothing is written over it.
 *  L2  A hint is only a hint: one that cannot be opened says that the session moved on, and the log tells the rest.
 */
import type { Hint, Store } from '../contract.ts';
import type { RecordCipher } from './record-cipher.ts';

export function sealedStore(store: Store, words: RecordCipher): Store {
  function openedHint(hint: Hint): Hint {
    if (hint.kind === 'moved') return hint;
    const { sessionId } = hint;
    try {
      return { ...hint, frames: words.openFrames(sessionId, hint.frames) };
    } catch {
      return { kind: 'moved', sessionId };
    }
  }

  return {
    ...store,
    async claim(sessionId, instance) {
      const outcome = await store.claim(sessionId, instance);
      if (outcome.kind === 'held' || outcome.record === null) return outcome;
      return { ...outcome, record: words.snapshotOrSealed(sessionId, outcome.record) };
    },
    commit(fence, commit) {
      const { sessionId } = fence;
      return store.commit(fence, {
        ...commit,
        snapshot: words.sealSnapshot(sessionId, commit.expectedVersion + 1, commit.snapshot),
        frames: words.sealFrames(sessionId, commit.frames),
        transcript: words.sealTranscript(sessionId, commit.transcript),
      });
    },
    append: (fence, append) =>
      store.append(fence, { ...append, frames: words.sealFrames(fence.sessionId, append.frames) }),
    async read(sessionId) {
      const record = await store.read(sessionId);
      return record === null ? null : words.openRecord(sessionId, record);
    },
    async readLog(sessionId, after, limit) {
      const page = await store.readLog(sessionId, after, limit);
      return page === null ? null : { ...page, frames: words.openFrames(sessionId, page.frames) };
    },
    async readTranscript(sessionId) {
      return words.openTranscript(sessionId, await store.readTranscript(sessionId));
    },
    async export(sessionId) {
      const dump = await store.export(sessionId);
      return dump === null ? null : words.openDump(dump);
    },
    import(dump, mode) {
      const { sessionId, record } = dump;
      return store.import(
        {
          ...dump,
          record: { ...record, snapshot: words.sealSnapshot(sessionId, record.version, record.snapshot) },
          frames: words.sealFrames(sessionId, dump.frames),
          transcript: words.sealTranscript(sessionId, dump.transcript),
          inbox: dump.inbox.map((entry) => words.sealInput(sessionId, entry)),
        },
        mode,
      );
    },
    push: (sessionId, entry) => store.push(sessionId, words.sealInput(sessionId, entry)),
    async readInbox(sessionId) {
      const entries = await store.readInbox(sessionId);
      return entries.map((entry) => words.inputOrSealed(sessionId, entry));
    },
    onHint: (listener) => store.onHint((hint) => listener(openedHint(hint))),
  };
}
