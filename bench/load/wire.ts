/**
 * Frames WebSocket messages as far as the load generator needs. A client must mask its frames; a mask of zeros is legal
 * and costs nothing.
 */
const TEXT = 0x81;
const MASKED = 0x80;

export const OPCODE_TEXT = 1;
export const OPCODE_CLOSE = 8;

export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  if (length > 0xffff) throw new Error('the generator sends no frame this long');
  const header =
    length < 126
      ? Buffer.from([TEXT, MASKED | length])
      : Buffer.from([TEXT, MASKED | 126, length >> 8, length & 0xff]);
  return Buffer.concat([header, Buffer.alloc(4), payload]);
}

/** Cuts a stream of bytes into frames. A payload is valid only during the call: its buffer may be shared. */
export class FrameReader {
  #rest: Buffer | null = null;

  push(chunk: Buffer, onFrame: (opcode: number, payload: Buffer) => void): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      const size = sizeAt(bytes, at);
      if (size === null || at + size.header + size.payload > bytes.length) break;
      const from = at + size.header;
      at = from + size.payload;
      onFrame((bytes[from - size.header] ?? 0) & 0x0f, bytes.subarray(from, at));
    }
    this.#rest = at === bytes.length ? null : Buffer.from(bytes.subarray(at));
  }
}

function sizeAt(bytes: Buffer, at: number): { readonly header: number; readonly payload: number } | null {
  const left = bytes.length - at;
  if (left < 2) return null;
  const short = (bytes[at + 1] ?? 0) & 0x7f;
  if (short < 126) return { header: 2, payload: short };
  if (short === 126) return left < 4 ? null : { header: 4, payload: bytes.readUInt16BE(at + 2) };
  return left < 10 ? null : { header: 10, payload: Number(bytes.readBigUInt64BE(at + 2)) };
}
