import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What one run of a test file came to. */
export interface FileResult {
  readonly file: string;
  /** False too if the file could not be loaded, or a hook failed. */
  readonly passed: boolean;
  readonly tests: readonly { readonly title: string; readonly state: TestState }[];
}

type TestState = 'passed' | 'failed' | 'skipped' | 'pending';

/** The results that the recorder wrote into the folder. */
export function readResults(folder: string): readonly FileResult[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'))
    .map((line): FileResult => JSON.parse(line));
}
