/**
 * Reverses a move in three passes; each resumes after a kill.
 *
 *  ROLLBACK-1  `back` copies every session of the target to the source: moved ones and those created since. The source keeps
 *              a session that went on there since the move (its epoch is higher).
 *  ROLLBACK-2  `ended` ends in the source what ended in the target, so that no closed or erased session comes back. It skips
 *              sessions that an instance claimed at the source since the move began.
 *  ROLLBACK-3  `clear` deletes a session from the target only if the source has the same one, byte by byte.
 */
import type { SessionDump, Store } from '../store/contract.ts';
import { counted, type Notes } from './notes.ts';
import { type Run, type RunEnd, walk } from './run.ts';
import { absentSource, type Found, storeSource } from './source.ts';
import { isEqual } from './validate.ts';

type Pass = 'back' | 'ended' | 'clear';
const INSTANCE = 'migration';
const PASSES: readonly Pass[] = ['back', 'ended', 'clear'];
const NAMES: Readonly<Record<Pass, string>> = {
  back: 'copying back',
  ended: 'ending finished sessions',
  clear: 'clearing the target',
};

export async function rollback(run: Run, start: Notes): Promise<{ ending: RunEnd; notes: Notes }> {
  const { endpoints } = run;
  const { from, to, notebook } = endpoints;
  let notes = start;
  const write = async (changes: Partial<Notes>) => {
    notes = { ...notes, ...changes };
    await notebook.write(notes);
  };
  if (notes.phase === 'copy' || notes.phase === 'copied') {
    // After an interrupted move, a session may be absent from the target because the move never reached it.
    const copiedAt = notes.phase === 'copied' ? notes.copiedAt : 0;
    await write({ phase: 'back', cursor: null, tally: {}, copiedAt });
  }
  for (const pass of PASSES) {
    if (notes.phase !== pass) continue;
    const skip = pass !== 'clear' && (from === null || (pass === 'ended' && notes.copiedAt === 0));
    if (!skip) {
      const ending = await walk(run, {
        name: NAMES[pass],
        source: pass === 'ended' && from !== null ? absentSource(from, to) : storeSource(to),
        cursor: notes.cursor,
        done: 0,
        each: (found) => outcomeOf(pass, run, found, notes),
        after: (names, _, cursor) => write({ cursor, tally: counted(notes.tally, names) }),
      });
      if (ending === 'interrupted') return { ending, notes };
    }
    const next = PASSES[PASSES.indexOf(pass) + 1];
    if (next !== undefined) await write({ phase: next, cursor: null });
  }
  await notebook.forget();
  return { ending: 'finished', notes };
}

async function outcomeOf(pass: Pass, run: Run, found: Found, notes: Notes): Promise<string> {
  const { from, to, source } = run.endpoints;
  if (found.kind === 'unreadable') return 'unreadable';
  const { dump } = found;
  if (pass === 'back') return from === null ? 'kept' : copyBack(from, dump, notes.startedAt);
  if (pass === 'ended') {
    if (from === null || dump.record.epoch >= notes.startedAt || notes.inUse.includes(dump.sessionId))
      return 'kept';
    return (await to.read(dump.sessionId)) === null && (await removeUnchanged(from, dump)) === 'removed'
      ? 'ended'
      : 'kept';
  }
  const there = await source.one(dump.sessionId);
  if (there === null) return 'notMoved';
  if (there.kind === 'unreadable' || !isEqual(there.dump, dump)) return 'differs';
  return removeUnchanged(to, dump);
}

async function copyBack(from: Store, dump: SessionDump, startedAt: number): Promise<string> {
  const there = await from.export(dump.sessionId);
  if (isEqual(dump, there)) return 'unchanged';
  if (dump.held) return 'inUse';
  if (there === null && dump.index.createdAt < startedAt) return 'notMoved';
  if (there !== null && there.record.epoch > dump.record.epoch) return 'kept';
  const { kind } = await from.import(dump, there === null ? 'absent-only' : 'replace');
  return kind === 'imported' ? 'returned' : 'inUse';
}

/** Ends a session in a store unless it changed since the dump. The other store has it, so watchers get no hint. */
async function removeUnchanged(
  store: Store,
  { sessionId, record, index }: SessionDump,
): Promise<'removed' | 'inUse' | 'changed'> {
  const claim = await store.claim(sessionId, INSTANCE);
  if (claim.kind === 'held') return 'inUse';
  const { fence, record: now } = claim;
  if (now === null) {
    await store.release(fence, false);
    return 'removed';
  }
  const isSame =
    now.version === record.version && now.head === record.head && now.inboxLength === record.inboxLength;
  if (!isSame) {
    await store.release(fence, false);
    return 'changed';
  }
  const { kind } = await store.commit(fence, {
    writeId: `${fence.token}.removed`,
    expectedVersion: now.version,
    expectedHead: now.head,
    snapshot: now.snapshot,
    frames: [],
    transcript: [],
    messageIds: [],
    inboxTaken: 0,
    dueAt: null,
    index,
    notify: false,
    end: true,
  });
  return kind === 'committed' ? 'removed' : 'changed';
}
