/** decode turns bytes into a client frame. Malformed bytes give a refusal, never an exception. */
import { type ClientFrame, clientFrameSchema, MAX_FRAME_BYTES } from './client-frames.ts';
import { nestsTooDeep } from './shallow-json.ts';

export type Decoded =
  | { readonly kind: 'frame'; readonly frame: ClientFrame }
  | { readonly kind: 'refused'; readonly code: 'bad_frame' | 'frame_too_large'; readonly messageId?: string };

const utf8 = new TextDecoder('utf-8', { fatal: true });
const bad: Decoded = { kind: 'refused', code: 'bad_frame' };

/** Reads the bytes before it returns: uWebSockets.js reuses its buffer afterwards. */
export function decode(bytes: ArrayBuffer): Decoded {
  if (bytes.byteLength > MAX_FRAME_BYTES) return { kind: 'refused', code: 'frame_too_large' };
  let raw: unknown;
  try {
    const text = utf8.decode(bytes);
    if (nestsTooDeep(text)) return bad;
    raw = JSON.parse(text);
  } catch {
    return bad;
  }
  const parsed = clientFrameSchema.safeParse(raw);
  if (parsed.success) return { kind: 'frame', frame: parsed.data };
  const id = typeof raw === 'object' && raw !== null ? (raw as { readonly id?: unknown }).id : undefined;
  return typeof id === 'string' && id.length <= 64
    ? { kind: 'refused', code: 'bad_frame', messageId: id }
    : bad;
}
