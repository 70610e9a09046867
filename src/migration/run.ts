/** Walks over all sessions in batches, for every phase of a run. */
import type { Endpoints } from './endpoints.ts';
import type { Options } from './options.ts';
import type { Progress } from './progress.ts';
import type { Found, Source } from './source.ts';

export interface Run {
  readonly endpoints: Endpoints;
  readonly options: Options;
  readonly progress: Progress;
  /** A session stays claimed this long after its owner died. */
  readonly leaseMs: number;
  /** True once the operator stopped the run; it ends after the current batch. */
  readonly stopping: () => boolean;
  readonly say: (line: string) => void;
}

export type RunEnd = 'finished' | 'interrupted';
export interface Walk {
  readonly name: string;
  readonly source: Source;
  readonly cursor: string | null;
  /** Sessions done in earlier runs, for the progress only. */
  readonly done: number;
  readonly each: (found: Found) => Promise<string>;
  /** Runs after every batch with the outcomes of its sessions and the start of the next batch. */
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
