/** Where programs are that tests need and that are not ours. */
import { accessSync, constants } from 'node:fs';
import { delimiter } from 'node:path';

/** Folders in which a shell looks, and then these. */
export function searched(...more: readonly string[]): readonly string[] {
  return [...(process.env.PATH ?? '').split(delimiter), ...more];
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
