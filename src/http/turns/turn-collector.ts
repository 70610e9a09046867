/**
 * Collects the result of one turn. To the session it is a client connection, but it has no socket.
 *
 *  COLLECT-1  The message id of the client identifies the turn, so replayed and live frames are treated alike.
 *  COLLECT-2  There is exactly one result, the first of: the turn's end, a refusal, the end of session or connection.
 *  COLLECT-3  Waiting ends: `concludeAt` gives the result if the log has no more frames of the turn.
 */
import { randomUUID } from 'node:crypto';
import { matchOf } from '../../../machines/message-id.ts';
import type { ClientConnection } from '../../delivery/client-connection.ts';
import type { ErrorCode } from '../../errors.ts';
import type { DurableFrame, ServerFrame } from '../../protocol/server-frames.ts';

type FrameOf<T extends DurableFrame['type']> = Extract<DurableFrame, { type: T }>;

export type TurnResult =
  /** `text` is null if the collector missed part of it; the transcript has it all. */
  | { readonly kind: 'completed'; readonly text: string | null; readonly frame: FrameOf<'turn.completed'> }
  | { readonly kind: 'failed'; readonly frame: FrameOf<'turn.failed'> }
  | { readonly kind: 'cancelled'; readonly frame: FrameOf<'turn.cancelled'> }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

export interface Listener {
  /** Gets every frame first; false if the client reads too slowly. */
  readonly onFrame: (data: string, frame: ServerFrame) => boolean;
  /** Called at the first frame about the message, which proves that the session took it; without one, at any frame. */
  readonly onTaken: () => void;
}

export class TurnCollector implements ClientConnection {
  readonly id = randomUUID();
  /** A client may run several requests at a time: they replace neither each other nor its socket. */
  readonly standsAlone = true;
  readonly result: Promise<TurnResult>;
  readonly #messageId: string | null;
  readonly #listener: Listener;
  readonly #onReset: () => void;
  #settle: (result: TurnResult) => void = () => {};
  #isOver = false;
  #turnId: string | null = null;
  /** Null if part of it was missed. */
  #text: string | null = null;
  #offset: number;
  #conclusion: { readonly head: number; readonly code: ErrorCode } | null = null;

  /**
   * Without a message id it waits for the end of the turn `turnId`, or by default of the next one. `after`: the last offset
   * that the client saw.
   */
  constructor(
    messageId: string | null,
    after: number,
    listener: Listener,
    onReset: () => void,
    turnId: string | null = null,
  ) {
    this.#turnId = turnId;
    this.#messageId = messageId;
    this.#offset = after;
    this.#listener = listener;
    this.#onReset = onReset;
    this.result = new Promise((resolve) => {
      this.#settle = (result) => {
        this.#isOver = true;
        resolve(result);
      };
    });
  }

  send(frames: readonly string[]): boolean {
    for (const data of frames) {
      // The rest of this page of the log belongs to later turns.
      if (this.#isOver) return true;
      const frame = JSON.parse(data) as ServerFrame;
      if (!this.#listener.onFrame(data, frame)) return false;
      this.#take(frame);
    }
    return true;
  }

  refuse(code: ErrorCode, messageId?: string): void {
    if (messageId === undefined || messageId === this.#messageId) this.#settle({ kind: 'refused', code });
  }

  end(code: ErrorCode | 'closed'): void {
    this.#settle({ kind: 'refused', code: code === 'closed' ? 'session_expired' : code });
  }

  /** The log has no frame of the turn after `head`: without its end by then, the result is `code`. */
  concludeAt(head: number, code: ErrorCode): void {
    this.#conclusion = { head, code };
    this.#concludeIfOver();
  }

  #concludeIfOver(): void {
    if (this.#conclusion !== null && this.#offset >= this.#conclusion.head) this.end(this.#conclusion.code);
  }

  #take(frame: ServerFrame): void {
    if (this.#messageId === null) this.#listener.onTaken();
    switch (frame.type) {
      case 'welcome':
      case 'error':
      case 'extended':
      case 'authenticated':
      case 'pong':
        return;
      case 'reset':
        this.#text = null;
        this.#onReset();
        break;
      default:
        this.#takeDurable(frame);
    }
    this.#offset = frame.offset;
    this.#concludeIfOver();
  }

  #takeDurable(frame: DurableFrame): void {
    if (this.#messageId === null && this.#turnId === null && 'turn_id' in frame) this.#turnId = frame.turn_id;
    switch (frame.type) {
      case 'message.queued':
        if (this.#isOurs([frame.message_id])) this.#listener.onTaken();
        return;
      case 'turn.started':
        if (this.#messageId !== null) {
          if (!this.#isOurs([frame.message_id, ...(frame.message_ids ?? [])])) return;
          this.#turnId = frame.turn_id;
        } else if (frame.turn_id !== this.#turnId) return;
        this.#text = '';
        this.#listener.onTaken();
        return;
      case 'delta':
        if (frame.turn_id === this.#turnId && this.#text !== null) this.#text += frame.text;
        return;
      case 'turn.completed':
        if (frame.turn_id === this.#turnId) this.#settle({ kind: 'completed', text: this.#text, frame });
        return;
      case 'turn.failed':
        if (frame.turn_id === this.#turnId) this.#settle({ kind: 'failed', frame });
        return;
      case 'turn.cancelled':
        if (frame.turn_id === this.#turnId || this.#isOursInQueue(frame))
          this.#settle({ kind: 'cancelled', frame });
        return;
    }
  }

  /** The message was cancelled before its turn started. */
  #isOursInQueue({ message_id }: FrameOf<'turn.cancelled'>): boolean {
    if (this.#messageId === null || this.#turnId !== null) return false;
    return matchOf(this.#messageId, [message_id]) === 'same';
  }

  /** A turn of another request with the same key must not answer this one. */
  #isOurs(messageIds: readonly string[]): boolean {
    const match = this.#messageId === null ? 'none' : matchOf(this.#messageId, messageIds);
    if (match === 'other request') this.end('idempotency_mismatch');
    return match === 'same';
  }
}
