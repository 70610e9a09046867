/** Encodes the end of a listing's page as a cursor: opaque to clients, and safe in a URL. */
import { storeError } from './failure.ts';

export type CursorPart = string | number;

export function writeCursor(parts: readonly CursorPart[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** Throws STORE_CURSOR unless the cursor holds parts of these types. */
export function readCursor(cursor: string, types: readonly ('string' | 'number')[]): readonly CursorPart[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const isOurs =
      Array.isArray(parts) &&
      parts.length === types.length &&
      types.every((type, index) => typeof parts[index] === type);
    if (isOurs) return parts as readonly CursorPart[];
  } catch {
    // Not JSON: the check below refuses it.
  }
  throw unknownCursor();
}

export function unknownCursor(): Error {
  return storeError('STORE_CURSOR', 'no listing wrote this cursor');
}
