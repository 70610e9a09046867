/** decode turns bytes into a client frame. Malformed bytes give a refusal, never an exception. */
import type { z } from 'zod';
import { type ClientFrame, clientFrameSchema, MAX_FRAME_BYTES, messageIdSchema } from './client-frames.ts';
import { nestsTooDeep } from './shallow-json.ts';

export type Decoded =
  | { readonly kind: 'frame'; readonly frame: ClientFrame }
  | { readonly kind: 'refused'; readonly code: 'frame_too_large' }
  /** `detail` names the field at fault. It holds nothing of what the client sent. */
  | {
      readonly kind: 'refused';
      readonly code: 'bad_frame';
      readonly detail: string;
      readonly messageId?: string;
    };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads the bytes before it returns: uWebSockets.js reuses its buffer afterwards. */
export function decode(bytes: ArrayBuffer): Decoded {
  if (bytes.byteLength > MAX_FRAME_BYTES) return { kind: 'refused', code: 'frame_too_large' };
  let raw: unknown;
  try {
    const text = utf8.decode(bytes);
    if (nestsTooDeep(text)) return bad('the frame nests too deep');
    raw = JSON.parse(text);
  } catch {
    return bad('the frame is not JSON text');
  }
  const parsed = clientFrameSchema.safeParse(raw);
  if (parsed.success) return { kind: 'frame', frame: parsed.data };
  const id = typeof raw === 'object' && raw !== null ? (raw as { readonly id?: unknown }).id : undefined;
  const named = messageIdSchema.safeParse(id);
  return bad(detailOf(parsed.error), named.data);
}

function bad(detail: string, messageId?: string): Decoded {
  const named = messageId === undefined ? {} : { messageId };
  return { kind: 'refused', code: 'bad_frame', detail, ...named };
}

/** The first fault. Names of unknown fields and of patient fields are the client's content, so they stay out. */
function detailOf({ issues: [issue] }: z.ZodError): string {
  if (issue === undefined) return 'the frame is not valid';
  const path = issue.path[0] === 'patient' ? ['patient'] : issue.path;
  const at = path.length === 0 ? 'the frame' : path.join('.');
  if (issue.code === 'unrecognized_keys') return `${at}: has a field that this frame does not know`;
  if (issue.path.length === 1 && issue.path[0] === 'type') return 'type: names no frame of this protocol';
  return `${at}: ${issue.message}`;
}
