/**
 * Brings back what was moved, in three passes that each can be killed and resumed:
 *
 *  R1  back: every session of the target that was moved, or made there since, is copied to the source as it is now.
 *      One that went on at the source since (its epoch is higher) is kept as it is there.
 *  R2  ended: what was moved and is over in the target is ended in the source too, so that nothing that was closed or
 *      erased comes to life again. Only what nobody claimed at the source since the move began.
 *  R3  clear: what the source has now, byte by byte, is taken out of the target; nothing else is.
 */
import type { SessionDump, Store } from '../store/contract.ts';
import { isEqual } from './equal.ts';
import type { Notes } from './notes.ts';
import { removeSource } from './remove-source.ts';
import { counted, type Run, type RunEnd, walk } from './run.ts';
import { absentSource, type Found, storeSource } from './source.ts';

type Phase = 'back' | 'ended' | 'clear';
const PHASES: readonly Phase[] = ['back', 'ended', 'clear'];
const NAMES: Readonly<Record<Phase, string>> = {
  back: 'bringing back',
  ended: 'ending what is over',
  clear: 'clearing the target',
};

export async function rollback(run: Run, start: Notes): Promise<{ ending: RunEnd; notes: Notes }> {
  const { ends } = run;
  const { from, to, notebook } = ends;
  let notes = start;
  const write = async (changes: Partial<Notes>) => {
    notes = { ...notes, ...changes };
    await notebook.write(notes);
  };
  if (notes.phase === 'copy' || notes.phase === 'copied') {
    // A move that never came to its end may have left sessions behind that are absent there for that reason alone.
    const copiedAt = notes.phase === 'copied' ? notes.copiedAt : 0;
    await write({ phase: 'back', cursor: null, tally: {}, copiedAt });
  }
  for (const phase of PHASES) {
    if (notes.phase !== phase) continue;
    const skip = phase !== 'clear' && (from === null || (phase === 'ended' && notes.copiedAt === 0));
    if (!skip) {
      const ending = await walk(run, {
        name: NAMES[phase],
        source: phase === 'ended' && from !== null ? absentSource(from, to) : storeSource(to),
        cursor: notes.cursor,
        done: 0,
        each: (found) => became(phase, run, found, notes),
        after: (names, _, cursor) => write({ cursor, tally: counted(notes.tally, names) }),
      });
      if (ending === 'interrupted') return { ending, notes };
    }
    const next = PHASES[PHASES.indexOf(phase) + 1];
    if (next !== undefined) await write({ phase: next, cursor: null });
  }
  await notebook.forget();
  return { ending: 'finished', notes };
}

async function became(phase: Phase, run: Run, found: Found, notes: Notes): Promise<string> {
  const { from, to, source } = run.ends;
  if (found.kind === 'unreadable') return 'unreadable';
  const { dump } = found;
  if (phase === 'back') return from === null ? 'kept' : broughtBack(from, dump, notes.startedAt);
  if (phase === 'ended') {
    if (from === null || dump.record.epoch >= notes.startedAt || notes.inUse.includes(dump.sessionId))
      return 'kept';
    return (await to.read(dump.sessionId)) === null && (await removeSource(from, dump)) === 'removed'
      ? 'ended'
      : 'kept';
  }
  const there = await source.one(dump.sessionId);
  if (there === null) return 'notMoved';
  if (there.kind === 'unreadable' || !isEqual(there.dump, dump)) return 'differs';
  return removeSource(to, dump);
}

async function broughtBack(from: Store, dump: SessionDump, startedAt: number): Promise<string> {
  const there = await from.export(dump.sessionId);
  if (isEqual(dump, there)) return 'unchanged';
  if (dump.held) return 'inUse';
  if (there === null && dump.index.createdAt < startedAt) return 'notMoved';
  if (there !== null && there.record.epoch > dump.record.epoch) return 'kept';
  const { kind } = await from.import(dump, there === null ? 'absent-only' : 'replace');
  return kind === 'imported' ? 'returned' : 'inUse';
}
