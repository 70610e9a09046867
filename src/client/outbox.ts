/**
 * What was said and not answered yet.
 *
 *  O1  A message keeps its id for life: however often it is sent, it starts a turn at most once (G6).
 *  O2  It leaves when the server has shown that it decided: the message's turn, its place in the queue, or an error.
 */
import type { MessageFrame } from '../protocol/client-frames.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';

/** The server's limit on a frame: it would end the connection for a larger one, and the resend after that. */
export const FRAME_MAX_BYTES = 64 * 1024;

/**
 * Errors that do not say what became of the message: it was not taken, or nobody knows. It is said again with the
 * same id, which is harmless where it was taken after all.
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

  /** In the order in which they were first said. */
  get frames(): readonly string[] {
    return [...this.#waiting.values()];
  }

  /** The message as it goes over the wire, now and at each repetition. */
  put(message: MessageFrame): string {
    const data = JSON.stringify(message);
    if (new TextEncoder().encode(data).length > FRAME_MAX_BYTES)
      throw new RangeError(`the message is larger than ${FRAME_MAX_BYTES} bytes`);
    this.#waiting.set(message.id, data);
    return data;
  }

  settle(frame: ServerFrame): void {
    switch (frame.type) {
      case 'turn.started':
        for (const id of frame.message_ids ?? []) this.#waiting.delete(id);
        this.#waiting.delete(frame.message_id);
        return;
      case 'message.queued':
      case 'turn.completed':
      case 'turn.failed':
      case 'turn.cancelled':
        this.#waiting.delete(frame.message_id);
        return;
      case 'error':
        if (frame.message_id !== undefined && !isUndecided(frame.code))
          this.#waiting.delete(frame.message_id);
        return;
      default:
        return;
    }
  }
}
