/** Records the progress of a run after every batch. A killed run repeats one batch at most, which is harmless. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { codeOf } from '../errors.ts';

const notesSchema = z.strictObject({
  /** The stores, without passwords; a run refuses the notes of another move. */
  from: z.string(),
  to: z.string(),
  phase: z.enum(['copy', 'copied', 'back', 'ended', 'clear']),
  cursor: z.string().nullable(),
  startedAt: z.number(),
  /** End of the copy; 0 before. */
  copiedAt: z.number(),
  tally: z.record(z.string(), z.number()),
  /** Sessions that were in use; the run retries them at its end. */
  inUse: z.array(z.string()),
});

export type Notes = z.infer<typeof notesSchema>;

export type Tally = Readonly<Record<string, number>>;

export function counted(tally: Tally, names: readonly string[]): Tally {
  const next: Record<string, number> = { ...tally };
  for (const name of names) next[name] = (next[name] ?? 0) + 1;
  return next;
}

export function sumOf(tally: Tally): number {
  return Object.values(tally).reduce((sum, n) => sum + n, 0);
}

export function freshNotes(from: string, to: string, startedAt: number): Notes {
  return { from, to, phase: 'copy', cursor: null, startedAt, copiedAt: 0, tally: {}, inUse: [] };
}

export interface Notebook {
  read(): Promise<Notes | null>;
  write(notes: Notes): Promise<void>;
  forget(): Promise<void>;
}

export function parseNotes(text: string): Notes {
  return notesSchema.parse(JSON.parse(text));
}

export function fileNotebook(path: string): Notebook {
  return {
    async read() {
      try {
        return parseNotes(readFileSync(path, 'utf8'));
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return null;
        throw new Error(`${path} holds no notes of a migration`, { cause: error });
      }
    },
    async write(notes) {
      // Written beside and renamed: a reader never finds half of it.
      const beside = `${path}.new`;
      const file = openSync(beside, 'w', 0o600);
      writeSync(file, JSON.stringify(notes));
      fsyncSync(file);
      closeSync(file);
      renameSync(beside, path);
    },
    async forget() {
      rmSync(path, { force: true });
    },
  };
}
