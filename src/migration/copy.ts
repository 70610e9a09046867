/**
 * Copies every session into the target; the source keeps its own until somebody takes it away.
 *
 *  C1  A session is there whole or not at all, and one that is there already is never overwritten.
 *  C2  The notes are written after the batch that they speak of: a run that is killed repeats one batch at most.
 *  C3  A session in use is left alone, tried again once its lease could be over, and said if it still is.
 */

import { sleep } from '../clock.ts';
import type { Store } from '../store/contract.ts';
import { isEqual } from './equal.ts';
import type { Notes } from './notes.ts';
import { counted, type Run, type RunEnd, sumOf, walk } from './run.ts';
import type { Found } from './source.ts';

type Became = 'moved' | 'already' | 'differs' | 'inUse' | 'unreadable';

const ROUNDS_IN_USE = 3;

export async function copy(run: Run, start: Notes): Promise<{ ending: RunEnd; notes: Notes }> {
  const { ends, options } = run;
  const { source, notebook } = ends;
  let notes = start;
  const write = async (changes: Partial<Notes>) => {
    notes = { ...notes, ...changes };
    if (!options.dryRun) await notebook.write(notes);
  };
  const each = async (found: Found): Promise<Became> => {
    if (found.kind === 'unreadable') run.say(`${found.sessionId} cannot be read: ${found.reason}`);
    return became(ends.to, found, options.dryRun);
  };

  if (notes.phase === 'copy') {
    const ending = await walk(run, {
      name: options.dryRun ? 'would move' : 'moving',
      source,
      cursor: source.resumes ? notes.cursor : null,
      done: source.resumes ? sumOf(notes.tally) : 0,
      each,
      after: (names, batch, cursor) => {
        const busy = batch.filter((_, index) => names[index] === 'inUse');
        return write({
          cursor,
          phase: cursor === null ? 'copied' : 'copy',
          copiedAt: cursor === null ? Date.now() : 0,
          tally: counted(notes.tally, names),
          inUse: [...notes.inUse, ...busy.map(idOf)],
        });
      },
    });
    if (ending === 'interrupted') return { ending, notes };
  }
  for (let round = 0; round < ROUNDS_IN_USE && notes.inUse.length > 0 && !options.dryRun; round += 1) {
    run.say(`${notes.inUse.length} sessions are in use; looking again`);
    await sleep(run.leaseMs);
    if (run.stopping()) return { ending: 'interrupted', notes };
    const names: string[] = [];
    const inUse: string[] = [];
    for (const sessionId of notes.inUse) {
      const found = await source.one(sessionId);
      const name = found === null ? 'gone' : await each(found);
      if (name === 'inUse') inUse.push(sessionId);
      else names.push(name);
    }
    const left = { ...notes.tally, inUse: inUse.length };
    await write({ tally: counted(left, names), inUse });
  }
  return { ending: 'finished', notes };
}

function idOf(found: Found): string {
  return found.kind === 'session' ? found.dump.sessionId : found.sessionId;
}

async function became(to: Store, found: Found, dryRun: boolean): Promise<Became> {
  if (found.kind === 'unreadable') return 'unreadable';
  const { dump } = found;
  if (dump.held) return 'inUse';
  if (!dryRun) {
    const { kind } = await to.import(dump, 'absent-only');
    if (kind === 'imported') return 'moved';
    if (kind === 'held') return 'inUse';
  }
  const there = await to.export(dump.sessionId);
  if (there === null) return 'moved';
  return isEqual(dump, there) ? 'already' : 'differs';
}
