/** What one run works with, and the walk over all sessions that its phases share. */
import type { Endpoints } from './endpoints.ts';
import type { Notes } from './notes.ts';
import type { Options } from './options.ts';
import type { Progress } from './progress.ts';
import type { Found, Source } from './source.ts';

export interface Run {
  readonly ends: Endpoints;
  readonly options: Options;
  readonly progress: Progress;
  /** How long a session may look held by an owner that died. */
  readonly leaseMs: number;
  /** True once somebody asked this run to end: it does after the batch that is under way. */
  readonly stopping: () => boolean;
  readonly say: (line: string) => void;
}

export type RunEnd = 'finished' | 'interrupted';
export type Tally = Readonly<Record<string, number>>;

export function counted(tally: Tally, names: readonly string[]): Tally {
  const next: Record<string, number> = { ...tally };
  for (const name of names) next[name] = (next[name] ?? 0) + 1;
  return next;
}

export interface Walk {
  readonly name: string;
  readonly source: Source;
  readonly cursor: string | null;
  /** Sessions that earlier runs have done, for the progress alone. */
  readonly done: number;
  readonly each: (found: Found) => Promise<string>;
  /** After every batch: what became of its sessions, and where the next one begins. */
  readonly after: (names: readonly string[], batch: readonly Found[], cursor: string | null) => Promise<void>;
}

export async function walk(run: Run, { name, source, cursor, done, each, after }: Walk): Promise<RunEnd> {
  const { progress, options } = run;
  progress.begin(name, Math.max(await source.total(), done), done);
  for (let next = cursor; ; ) {
    if (run.stopping()) {
      progress.end();
      return 'interrupted';
    }
    const page = await source.page(next, options.batch);
    const names = await Promise.all(page.found.map(each));
    await after(names, page.found, page.cursor);
    progress.advance(page.found.length);
    next = page.cursor;
    if (next === null) break;
  }
  progress.end();
  return 'finished';
}

export function sumOf(tally: Tally): number {
  return Object.values(tally).reduce((sum, n) => sum + n, 0);
}

export function freshNotes(from: string, to: string, startedAt: number): Notes {
  return { from, to, phase: 'copy', cursor: null, startedAt, copiedAt: 0, tally: {}, inUse: [] };
}
