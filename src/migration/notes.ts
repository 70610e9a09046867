/**
 * What a run leaves for the next one: how far it came. Written after every batch, so a run that is killed repeats one
 * batch at most, and repeating is harmless.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { codeOf } from '../errors.ts';

const notesSchema = z.strictObject({
  /** Of the stores, without passwords: notes of another move are not ours to follow. */
  from: z.string(),
  to: z.string(),
  phase: z.enum(['copy', 'copied', 'back', 'ended', 'clear']),
  cursor: z.string().nullable(),
  startedAt: z.number(),
  /** When everything had been copied; 0 before. */
  copiedAt: z.number(),
  tally: z.record(z.string(), z.number()),
  /** Sessions in use when their turn came: tried again at the end. */
  inUse: z.array(z.string()),
});

export type Notes = z.infer<typeof notesSchema>;

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
      // Written beside and moved over: a reader never finds half of it.
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
