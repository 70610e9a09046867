/**
 * The outbox keeps each message until the server has decided about it; a pending message waits for its answer.
 *
 *  OUTBOX-1  A message keeps its id: however often the client sends it, it starts at most one turn (G6).
 *  OUTBOX-2  A message leaves when the server shows its decision: the message's turn, its place in the queue, or an error.
 */
import type { MessageFrame } from '../protocol/client-frames.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import type { ClientEvent, Session } from './session.ts';

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
  put(message: MessageFrame): string {
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

/** Follows one message to the end of its turn. */
export class PendingMessage {
  readonly id: string;
  #wasRefused = false;
  #wasReset = false;

  constructor(id: string) {
    this.id = id;
  }

  onEvent(event: ClientEvent): void {
    if (event.type === 'reset') this.#wasReset = true;
    if (event.type !== 'error' || event.error.message_id !== this.id) return;
    if (event.error.code !== 'duplicate_message' && !isUndecided(event.error.code)) this.#wasRefused = true;
  }

  /** The server refused the message, or its turn failed or was cancelled. */
  hasFailed(session: Session): boolean {
    const outcome = this.#outcome(session);
    return this.#wasRefused || outcome === 'failed' || outcome === 'cancelled';
  }

  isDone(session: Session): boolean {
    if (this.#wasRefused) return true;
    if (session.unacknowledged.includes(this.id)) return false;
    const outcome = this.#outcome(session);
    if (outcome !== undefined) return outcome !== 'running';
    // A reset can remove the turn's frames; only the session's state then shows that no turn is running.
    return this.#wasReset && session.conversation.state !== 'processing';
  }

  #outcome({ conversation }: Session): string | undefined {
    return conversation.turns.findLast(({ messageId }) => messageId === this.id)?.outcome.kind;
  }
}
