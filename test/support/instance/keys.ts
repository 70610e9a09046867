/** Runs the program `keys` as a process, and lets time pass for a key file. */
import { utimesSync } from 'node:fs';
import { type Environment, runToEnd } from './instance.ts';

export interface KeysRun {
  readonly code: number | null;
  /** The JSON of its only line on stdout; empty if it failed before. */
  readonly summary: Readonly<Record<string, unknown>>;
  /** What it told the operator. */
  readonly said: string;
}

export async function runKeys(args: readonly string[], environment: Environment = {}): Promise<KeysRun> {
  const { code, stdout, stderr } = await runToEnd('keys.js', environment, args);
  return { code, said: stderr, summary: stdout === '' ? {} : (JSON.parse(stdout) as KeysRun['summary']) };
}

/** The last rotation of the file is an hour ago. */
export function ageKeyFile(file: string): void {
  const hourAgo = Date.now() / 1_000 - 3_600;
  utimesSync(file, hourAgo, hourAgo);
}
