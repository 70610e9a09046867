/**
 * framingFaultOf finds a request whose end two programs could see at different places. A proxy and this service that
 * disagree would give one client's request the credential of another (request smuggling). uWebSockets.js takes the first
 * of two lengths and any transfer encoding, and reads the rest as another request.
 */
import type { Headers } from '../request/headers.ts';

/** Two of these mean different things to different programs. */
const SINGLE = ['content-length', 'transfer-encoding', 'host', 'origin', 'content-type'] as const;

/** Null if there is none; else in words that hold nothing of the request. */
export function framingFaultOf({ lines }: Headers): string | null {
  for (const name of SINGLE) if (lines(name).length > 1) return `two ${name} headers`;
  const [length] = lines('content-length');
  const [encoding] = lines('transfer-encoding');
  if (length !== undefined && encoding !== undefined) return 'content-length beside transfer-encoding';
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return 'content-length is no number';
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked')
    return 'transfer-encoding is not chunked';
  return null;
}
