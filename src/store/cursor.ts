import { CodedError } from '../errors.ts';

/** Where a page of a listing ends, as a client may carry it: opaque, and safe in a URL. */
export type CursorPart = string | number;

export function writeCursor(parts: readonly CursorPart[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** Rejects, with the code STORE_CURSOR, what `writeCursor` never wrote for parts of these types. */
export function readCursor(cursor: string, types: readonly ('string' | 'number')[]): readonly CursorPart[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const isOurs =
      Array.isArray(parts) &&
      parts.length === types.length &&
      types.every((type, index) => typeof parts[index] === type);
    if (isOurs) return parts as readonly CursorPart[];
  } catch {
    // Not JSON: refused below like everything else that is not ours.
  }
  throw strangeCursor();
}

export function strangeCursor(): Error {
  return new CodedError('STORE_CURSOR', 'this cursor was not given out by a listing');
}
