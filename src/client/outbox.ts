/**
 * The outbox keeps each message until the server has decided about it.
 *
 *  OUTBOX-1  A message keeps its id: however often the client sends it, it starts at most one turn (G6).
 *  OUTBOX-2  A message leaves when the server shows its decision: the message's turn, its place in the queue, or an error.
 */
import type { ForkFrame, MessageFrame, RegenerateFrame, ServerFrame } from './wire.ts';

/** Frames that the server takes once, under their id. */
export type NamedFrame = MessageFrame | RegenerateFrame | ForkFrame;

/** The server's limit on a frame: it would close the connection on a larger one, and again after each resend. */
export const FRAME_MAX_BYTES = 64 * 1024;

/**
 * Errors after which the fate of a message is open. The client sends it again with the same id, which is harmless if
 * the server had taken it.
 */
const UNDECIDED: ReadonlySet<string> = new Set([
  'store_unavailable',
  'session_moved',
  'session_not_found',
  'overloaded',
]);

export function isUndecided(code: string): boolean {
  return UNDECIDED.has(code);
}

export class Outbox {
  readonly #waiting = new Map<string, string>();

  get ids(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  /** In the order in which the caller first sent them. */
  get frames(): readonly string[] {
    return [...this.#waiting.values()];
  }

  /** Returns the frame that the client sends, and resends byte for byte. */
  put(message: NamedFrame): string {
    const data = JSON.stringify(message);
    if (new TextEncoder().encode(data).length > FRAME_MAX_BYTES)
      throw new RangeError(`the message is larger than ${FRAME_MAX_BYTES} bytes`);
    this.#waiting.set(message.id, data);
    return data;
  }

  /** OUTBOX-2 */
  settle(frame: ServerFrame): void {
    switch (frame.type) {
      case 'turn.started':
        for (const id of frame.message_ids ?? []) this.#waiting.delete(id);
        this.#waiting.delete(frame.message_id);
        return;
      case 'message.queued':
      case 'forked':
      case 'turn.completed':
      case 'turn.failed':
      case 'turn.cancelled':
        this.#waiting.delete(frame.message_id);
        return;
      case 'error':
        if (frame.message_id !== undefined && !isUndecided(frame.code))
          this.#waiting.delete(frame.message_id);
        return;
    }
  }
}
