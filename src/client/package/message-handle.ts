/**
 * MessageHandle turns the events of a session into the promises and pieces of one message.
 *
 *  HANDLE-1  Its pieces, from the last that starts over, join to the text of the turn.
 *  HANDLE-2  Each promise settles once; a program that ignores one gets no unhandled rejection.
 */
import type { TurnView } from '../assembler.ts';
import { PendingMessage, type SessionSight } from '../pending-message.ts';
import type { ClientEvent } from '../session.ts';
import { Feed } from './feed.ts';
import {
  type Acknowledgement,
  type Answer,
  overError,
  type Piece,
  RehydraError,
  type SentMessage,
} from './rehydra-session.ts';

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** `Promise.withResolvers` is missing in Node 20. */
function deferred<T>(): Deferred<T> {
  let settle = {} as Omit<Deferred<T>, 'promise'>;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  promise.catch(() => {}); // HANDLE-2
  return { promise, ...settle };
}

export class MessageHandle implements SentMessage {
  readonly #pending: PendingMessage;
  readonly #acknowledged = deferred<Acknowledgement>();
  readonly #done = deferred<Answer>();
  readonly #pieces = new Feed<Piece>();
  #text = '';
  #reasoning = '';

  constructor(id: string) {
    this.#pending = new PendingMessage(id);
  }

  get id(): string {
    return this.#pending.id;
  }

  get turnId(): string | null {
    return this.#pending.turnId;
  }

  get done(): Promise<Answer> {
    return this.#done.promise;
  }

  get text(): Promise<string> {
    const text = this.#done.promise.then(({ text, outcome }) => {
      if (outcome.kind !== 'failed') return text;
      throw new RehydraError(outcome.code, `the turn failed: ${outcome.code}`, outcome.retryable);
    });
    text.catch(() => {}); // HANDLE-2
    return text;
  }

  // biome-ignore lint/suspicious/noThenProperty: a message is awaited like a promise, and has more than one.
  then<A = Acknowledgement, B = never>(
    onFulfilled?: ((value: Acknowledgement) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): PromiseLike<A | B> {
    return this.#acknowledged.promise.then(onFulfilled, onRejected);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Piece> {
    const hasBegun = this.#text !== '' || this.#reasoning !== '';
    const soFar = { text: this.#text, reasoning: this.#reasoning, startsOver: false };
    return this.#pieces.read(hasBegun ? [soFar] : []);
  }

  /** True once the message needs no more events. */
  onEvent(event: ClientEvent, session: SessionSight): boolean {
    const pending = this.#pending;
    pending.onEvent(event);
    const { refusal } = pending;
    if (refusal !== null)
      return this.#fail(new RehydraError(refusal.code, refusal.message, refusal.retryable));
    if (!session.unacknowledged.includes(pending.id)) this.#acknowledged.resolve({ id: pending.id });
    const turn = this.#follow(event, session);
    if (pending.isDone(session)) return this.#finish(turn ?? pending.turnIn(session));
    if (event.type === 'over') return this.#fail(overError(event));
    return false;
  }

  #follow(event: ClientEvent, session: SessionSight): TurnView | undefined {
    if (event.type === 'frame' && event.frame.type === 'delta') {
      // Only the frame: comparing the whole text with each piece would take a time that grows with its square.
      const { turn_id, text, reasoning = '' } = event.frame;
      if (turn_id === this.turnId) this.#add({ text, reasoning, startsOver: false });
      return undefined;
    }
    const turn = this.#pending.turnIn(session);
    if (turn !== undefined) this.#catchUp(turn);
    return turn;
  }

  /** HANDLE-1 */
  #catchUp({ text, reasoning }: TurnView): void {
    if (text === this.#text && reasoning === this.#reasoning) return;
    const continues = text.startsWith(this.#text) && reasoning.startsWith(this.#reasoning);
    if (continues) {
      const rest = {
        text: text.slice(this.#text.length),
        reasoning: reasoning.slice(this.#reasoning.length),
      };
      return this.#add({ ...rest, startsOver: false });
    }
    this.#text = '';
    this.#reasoning = '';
    this.#add({ text, reasoning, startsOver: true });
  }

  #add(piece: Piece): void {
    this.#text += piece.text;
    this.#reasoning += piece.reasoning;
    this.#pieces.push(piece);
  }

  #finish(turn: TurnView | undefined): true {
    if (turn === undefined || turn.outcome.kind === 'running')
      return this.#fail(new RehydraError('answer_lost', 'the answer is lost'));
    this.#catchUp(turn);
    const { turnId, text, reasoning, simulated, outcome } = turn;
    this.#done.resolve({ messageId: this.id, turnId, text, reasoning, simulated, outcome });
    this.#pieces.end({ kind: 'done' });
    return true;
  }

  #fail(error: RehydraError): true {
    this.#acknowledged.reject(error);
    this.#done.reject(error);
    this.#pieces.end({ kind: 'failed', error });
    return true;
  }
}
