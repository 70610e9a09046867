/** Derives a UUID from texts: every instance derives the same one, and it is as hard to guess as they are. */
import { createHash } from 'node:crypto';

export function derivedUuid(...texts: readonly string[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(texts)).digest().subarray(0, 16);
  // Version 8, "custom", and the variant of RFC 9562: validators refuse anything else.
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
