/**
 * UiChunks turns the events of one turn into chunks of the AI SDK's UI message stream.
 *
 *  CHUNK-1  The text chunks join to the text of the turn, also after a reset.
 *  CHUNK-2  The stream opens once, and closes once: `finish`, `abort` or `error` is its last chunk.
 */
import type { ClientConversation, TurnView } from '../assembler.ts';
import { isUndecided } from '../outbox.ts';
import type { ClientEvent } from '../session.ts';

/** Keys that the strict parsers of versions 5 and 6 accept. */
export type UiMessageChunk =
  | { type: 'start'; messageId: string }
  | { type: 'start-step' }
  | { type: 'text-start'; id: string }
  | { type: 'text-delta'; id: string; delta: string }
  | { type: 'text-end'; id: string }
  | { type: 'reasoning-start'; id: string }
  | { type: 'reasoning-delta'; id: string; delta: string }
  | { type: 'reasoning-end'; id: string }
  | { type: 'finish-step' }
  | { type: 'finish'; finishReason?: 'stop' | 'length' | 'content-filter' | 'other' }
  | { type: 'abort' }
  | { type: 'error'; errorText: string };

type PartKind = 'text' | 'reasoning';

export class UiChunks {
  readonly #messageId: string | null;
  #turnId: string | null;
  readonly #seen = { text: '', reasoning: '' };
  readonly #open = new Set<PartKind>();
  #hasStarted = false;
  #isOver = false;

  /** Follows the turn of a message, or a turn whose id is known. */
  constructor(of: { readonly messageId: string } | { readonly turnId: string }) {
    this.#messageId = 'messageId' in of ? of.messageId : null;
    this.#turnId = 'turnId' in of ? of.turnId : null;
  }

  get turnId(): string | null {
    return this.#turnId;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  after(event: ClientEvent, conversation: ClientConversation): readonly UiMessageChunk[] {
    if (this.#isOver) return [];
    if (event.type === 'over') return this.#fail(`the session is over: ${event.why} ${event.reason}`);
    if (event.type === 'error') {
      const { message_id, code, message } = event.error;
      const concerns = message_id !== undefined && message_id === this.#messageId;
      if (concerns && code !== 'duplicate_message' && !isUndecided(code))
        return this.#fail(`${code}: ${message}`);
    }
    if (event.type === 'frame' && event.frame.type === 'turn.started') {
      const { message_id, message_ids = [], turn_id } = event.frame;
      if (this.#messageId !== null && [message_id, ...message_ids].includes(this.#messageId))
        this.#turnId = turn_id;
    }
    return this.sync(conversation);
  }

  /** The chunks between what the stream has and what the conversation has. */
  sync({ turns, state }: ClientConversation): readonly UiMessageChunk[] {
    const turn = turns.findLast(
      ({ turnId, messageId }) =>
        turnId === this.#turnId || (messageId !== null && messageId === this.#messageId),
    );
    if (turn === undefined || this.#isOver) return [];
    this.#turnId = turn.turnId;
    // The SDK cannot take text back, and would show both answers.
    if (!turn.text.startsWith(this.#seen.text)) return this.#fail('the answer starts over: load it again');
    const chunks: UiMessageChunk[] = [];
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      chunks.push({ type: 'start', messageId: answerId(turn.turnId) }, { type: 'start-step' });
    }
    for (const kind of ['reasoning', 'text'] as const) this.#addPart(kind, turn, chunks);
    // A transcript does not say how its turns ended, and its last one may still run.
    const mayRun = turn.outcome.kind === 'past' && state === 'processing';
    if (turn.outcome.kind !== 'running' && !mayRun) this.#end(turn.outcome, chunks);
    return chunks;
  }

  /** CHUNK-1 */
  #addPart(kind: PartKind, turn: TurnView, chunks: UiMessageChunk[]): void {
    const delta = turn[kind].slice(this.#seen[kind].length);
    if (delta === '') return;
    this.#seen[kind] = turn[kind];
    if (!this.#open.has(kind)) chunks.push({ type: `${kind}-start`, id: kind });
    this.#open.add(kind);
    chunks.push({ type: `${kind}-delta`, id: kind, delta });
  }

  /** CHUNK-2 */
  #end(outcome: Exclude<TurnView['outcome'], { kind: 'running' }>, chunks: UiMessageChunk[]): void {
    this.#isOver = true;
    for (const kind of this.#open) chunks.push({ type: `${kind}-end`, id: kind });
    if (outcome.kind === 'failed') chunks.push({ type: 'error', errorText: outcome.code });
    else if (outcome.kind === 'cancelled') chunks.push({ type: 'abort' });
    else {
      const reason = outcome.kind === 'completed' ? outcome.finishReason : 'stop';
      const finishReason = reason === 'stop' || reason === 'length' ? reason : 'other';
      chunks.push({ type: 'finish-step' }, { type: 'finish', finishReason });
    }
  }

  #fail(errorText: string): readonly UiMessageChunk[] {
    this.#isOver = true;
    return [{ type: 'error', errorText }];
  }
}

/** The same answer has the same id over every door. */
export function answerId(turnId: string): string {
  return `msg_a${turnId.replaceAll('-', '')}`;
}
