import { STATUS_CODES } from 'node:http';

/** Strict clients refuse a status line without the space after the number, and then read neither status nor headers. */
export function statusLine(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ''}`;
}
