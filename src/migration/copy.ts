/**
 * Copies every session into the target; the source keeps its own.
 *
 *  COPY-1  The target gets a session whole or not at all, and the copy never overwrites a session there.
 *  COPY-2  The notes follow each batch, so a killed run repeats one batch at most.
 *  COPY-3  The copy skips a session in use, retries it after a lease, and reports it if it is still in use.
 */
import { sleep } from '../clock.ts';
import type { Store } from '../store/contract.ts';
import { counted, type Notes, sumOf } from './notes.ts';
import { type Run, type RunEnd, walk } from './run.ts';
import type { Found } from './source.ts';
import { isEqual } from './validate.ts';

type Outcome = 'moved' | 'already' | 'differs' | 'inUse' | 'unreadable';

const ROUNDS_IN_USE = 3;

export async function copy(run: Run, start: Notes): Promise<{ ending: RunEnd; notes: Notes }> {
  const { endpoints, options } = run;
  const { source, notebook } = endpoints;
  let notes = start;
  const write = async (changes: Partial<Notes>) => {
    notes = { ...notes, ...changes };
    if (!options.dryRun) await notebook.write(notes);
  };
  const each = async (found: Found): Promise<Outcome> => {
    if (found.kind === 'unreadable') run.say(`${found.sessionId} cannot be read: ${found.reason}`);
    return outcomeOf(endpoints.to, found, options.dryRun);
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
    run.say(`${notes.inUse.length} sessions are in use; trying them again`);
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

async function outcomeOf(to: Store, found: Found, dryRun: boolean): Promise<Outcome> {
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
