/**
 * An outlet that listens for the end of one turn: what a request–response client sees of a session.
 *
 *  K1  The turn is known by the client's message id, so it does not matter whether its frames are replayed or live.
 *  K2  Exactly one result, whatever comes first: the turn's end, a refusal, the end of the session or the connection.
 *  K3  Waiting ends: where the log has nothing more to say of the turn, `concludeAt` says so.
 */
import { randomUUID } from 'node:crypto';
import { matchOf } from '../../../machines/message-id.ts';
import type { ClientConnection } from '../../delivery/client-connection.ts';
import type { ErrorCode } from '../../errors.ts';
import type { DurableFrame, ServerFrame } from '../../protocol/server-frames.ts';

type Ended<T extends DurableFrame['type']> = Extract<DurableFrame, { type: T }>;

export type TurnResult =
  /** `text` is null where part of it was not heard: the transcript has it. */
  | { readonly kind: 'completed'; readonly text: string | null; readonly frame: Ended<'turn.completed'> }
  | { readonly kind: 'failed'; readonly frame: Ended<'turn.failed'> }
  | { readonly kind: 'cancelled'; readonly frame: Ended<'turn.cancelled'> }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

export interface Listener {
  /** Sees every frame first; false where its reader is too slow. */
  readonly onFrame: (data: string, frame: ServerFrame) => boolean;
  /** The session said something of the message, so it was taken; or anything, where there is none. */
  readonly onTaken: () => void;
}

export class TurnCollector implements ClientConnection {
  readonly id = randomUUID();
  /** Requests of one client may be many at once, and are no reason to close its socket. */
  readonly isForOneTurn = true;
  readonly result: Promise<TurnResult>;
  readonly #messageId: string | null;
  readonly #listener: Listener;
  readonly #onReset: () => void;
  #settle: (result: TurnResult) => void = () => {};
  #isOver = false;
  #turnId: string | null = null;
  /** Null where part of it was not heard. */
  #text: string | null = null;
  #offset: number;
  #conclusion: { readonly head: number; readonly code: ErrorCode } | null = null;

  /** Without a message it is the next turn's end that is waited for. `after`: what the reader has seen already. */
  constructor(messageId: string | null, after: number, listener: Listener, onReset: () => void) {
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
      // What follows in the same page of the log is of later turns.
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

  /** The log tells no more of the turn after `head`: who has not heard its end by then gets `code`. */
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
        }
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
        if (frame.turn_id === this.#turnId) this.#settle({ kind: 'cancelled', frame });
        return;
    }
  }
  /** A turn under our key that answers another request is not for this reader. */
  #isOurs(messageIds: readonly string[]): boolean {
    const match = this.#messageId === null ? 'none' : matchOf(this.#messageId, messageIds);
    if (match === 'other request') this.end('idempotency_mismatch');
    return match === 'same';
  }
}
