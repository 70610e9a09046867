/**
 * One message, from being sent to the end of its turn, as far as its sender can know it: a reset may take away the
 * frames that would have told, so that then only the session's state says that nothing is under way any more.
 */
import { isUndecided } from './outbox.ts';
import type { ClientEvent, Session } from './session.ts';

export class PendingMessage {
  readonly id: string;
  #refused = false;
  #cut = false;

  constructor(id: string) {
    this.id = id;
  }

  hear(event: ClientEvent): void {
    if (event.type === 'reset') this.#cut = true;
    if (event.type !== 'error' || event.error.message_id !== this.id) return;
    if (event.error.code !== 'duplicate_message' && !isUndecided(event.error.code)) this.#refused = true;
  }

  /** No answer came of it: the server refused the message, or its turn failed or was cancelled. */
  hasFailed({ conversation }: Session): boolean {
    if (this.#refused) return true;
    const turn = conversation.turns.findLast(({ messageId }) => messageId === this.id);
    return turn?.outcome.kind === 'failed' || turn?.outcome.kind === 'cancelled';
  }

  isDone({ conversation, unacknowledged }: Session): boolean {
    if (this.#refused) return true;
    if (unacknowledged.includes(this.id)) return false;
    const turn = conversation.turns.findLast(({ messageId }) => messageId === this.id);
    if (turn !== undefined) return turn.outcome.kind !== 'running';
    return this.#cut && conversation.state !== 'processing';
  }
}
