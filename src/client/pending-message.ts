/** PendingMessage follows one message to the end of its turn. */
import type { TurnView } from './assembler.ts';
import { isUndecided } from './outbox.ts';
import type { ClientEvent, ErrorFrame, Session } from './session.ts';

/** What a pending message reads of its session. */
export type SessionSight = Pick<Session, 'conversation' | 'unacknowledged'>;

export class PendingMessage {
  readonly id: string;
  /** Null until the turn starts. Several messages may share a turn, and only the last one names it. */
  #turnId: string | null = null;
  #refusal: ErrorFrame | null = null;
  #wasReset = false;

  constructor(id: string) {
    this.id = id;
  }

  get turnId(): string | null {
    return this.#turnId;
  }

  /** The error with which the server refused the message. */
  get refusal(): ErrorFrame | null {
    return this.#refusal;
  }

  onEvent(event: ClientEvent): void {
    switch (event.type) {
      case 'reset':
        this.#wasReset = true;
        return;
      case 'frame': {
        const { frame } = event;
        if (frame.type !== 'turn.started') return;
        if (frame.message_id === this.id || frame.message_ids?.includes(this.id) === true)
          this.#turnId = frame.turn_id;
        return;
      }
      case 'error': {
        const { error } = event;
        if (error.message_id !== this.id || error.code === 'duplicate_message' || isUndecided(error.code))
          return;
        this.#refusal = error;
      }
    }
  }

  isDone(session: SessionSight): boolean {
    if (this.#refusal !== null) return true;
    if (session.unacknowledged.includes(this.id)) return false;
    const outcome = this.turnIn(session)?.outcome.kind;
    // A transcript does not say how its turns ended, and its last one may still run.
    if (outcome !== undefined && outcome !== 'past') return outcome !== 'running';
    // A reset can remove the turn's frames; only the session's state then shows that no turn is running.
    return this.#wasReset && session.conversation.state !== 'processing';
  }

  turnIn({ conversation }: SessionSight): TurnView | undefined {
    return conversation.turns.findLast(
      ({ turnId, messageId }) => turnId === this.#turnId || messageId === this.id,
    );
  }
}
