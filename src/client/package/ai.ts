/**
 * `rehydra/ai`: a `ChatTransport` of the AI SDK over a session's socket. Its types have the shape of the SDK's, of
 * versions 5 to 7, without an import: the package does not depend on one of them.
 */
import type { TurnView } from '../assembler.ts';
import { answerId, UiChunks, type UiMessageChunk } from './ai-chunks.ts';
import { type ConnectOptions, connect, type RehydraSession } from './client.ts';

export type { UiMessageChunk } from './ai-chunks.ts';

export interface TransportOptions extends Omit<ConnectOptions, 'sessionId' | 'after' | 'epoch'> {
  /**
   * The session of each chat. Absent: a map in memory. A page that keeps it, for example in `localStorage`, finds its chats
   * again after a refresh. A chat whose id is a UUID needs no entry at a server without `AUTH`.
   */
  readonly sessions?: {
    get(chatId: string): string | null | undefined;
    set(chatId: string, sessionId: string): unknown;
  };
}

/** A message of the SDK: the transport reads the text of its parts. */
export interface ChatMessage {
  readonly id: string;
  readonly role: string;
  readonly parts: readonly { readonly type: string }[];
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export class RehydraChatTransport {
  readonly #options: Omit<TransportOptions, 'sessions'>;
  readonly #sessionIds: NonNullable<TransportOptions['sessions']>;
  readonly #open = new Map<string, RehydraSession>();

  constructor({ sessions = new Map<string, string>(), ...options }: TransportOptions) {
    this.#options = options;
    this.#sessionIds = sessions;
  }

  /** The session of a chat, for what the SDK has no word for. */
  session(chatId: string): RehydraSession {
    const open = this.#open.get(chatId);
    if (open !== undefined) return open;
    const sessionId = this.#sessionIds.get(chatId) ?? (UUID.test(chatId) ? chatId : null);
    const session = connect({ ...this.#options, ...(sessionId === null ? {} : { sessionId }) });
    this.#open.set(chatId, session);
    session.on('welcomed', ({ welcome }) => this.#sessionIds.set(chatId, welcome.session_id));
    session.on('over', () => {
      if (this.#open.get(chatId) === session) this.#open.delete(chatId);
    });
    return session;
  }

  /** Sends the last message of the user. An abort stops the answer: it is a request to the server. */
  async sendMessages(request: {
    readonly trigger: 'submit-message' | 'regenerate-message';
    readonly chatId: string;
    /** The answer to give again, or the question that the last message replaces. */
    readonly messageId?: string | undefined;
    readonly messages: readonly ChatMessage[];
    readonly abortSignal?: AbortSignal | undefined;
  }): Promise<ReadableStream<UiMessageChunk>> {
    const message = request.messages.findLast(({ role }) => role === 'user');
    if (message === undefined) throw new Error('rehydra/ai found no message of the user');
    const session = this.session(request.chatId);
    const { messageId } = request;
    const isAgain = request.trigger === 'regenerate-message';
    if (isAgain || messageId !== undefined) await caughtUp(session);
    const turn = session.conversation.turns.find((one) => isOf(one, messageId));
    const content = textOf(message);
    const from = turn === undefined ? {} : { turnId: turn.turnId };
    const sent =
      isAgain || turn !== undefined
        ? session.regenerate({ ...from, ...(isAgain ? {} : { content }) })
        : session.send(content, { id: message.id });
    return chunksOf(session, new UiChunks({ messageId: sent.id }), request.abortSignal);
  }

  /** The whole running answer; null if none runs. */
  async reconnectToStream(request: {
    readonly chatId: string;
    readonly abortSignal?: AbortSignal | undefined;
  }): Promise<ReadableStream<UiMessageChunk> | null> {
    const session = this.session(request.chatId);
    await caughtUp(session);
    const turn = session.conversation.turns.at(-1);
    const mayRun = turn?.outcome.kind === 'running' || turn?.outcome.kind === 'past';
    if (session.state !== 'processing' || turn === undefined || !mayRun) return null;
    return chunksOf(session, new UiChunks({ turnId: turn.turnId }), request.abortSignal);
  }

  /** Stops the running answer, also one that another page asked for. */
  stop(chatId: string): boolean {
    return this.session(chatId).cancel();
  }

  /** Disconnects a chat. Its session continues. */
  leave(chatId: string): void {
    this.#open.get(chatId)?.leave();
  }
}

/** The id of a question or of an answer, as the page has it. */
function isOf({ turnId, messageId }: TurnView, id: string | undefined): boolean {
  return id !== undefined && (id === messageId || id === answerId(turnId));
}

function textOf({ parts }: ChatMessage): string {
  return parts
    .map((part) => ('text' in part && part.type === 'text' && typeof part.text === 'string' ? part.text : ''))
    .join('');
}

/** Waits for the frames that the session had at the welcome. */
async function caughtUp(session: RehydraSession): Promise<void> {
  const { offset } = await session.ready;
  if (session.conversation.offset >= offset) return;
  await new Promise<void>((resolve) => {
    const off = session.on('*', ({ type }) => {
      if (type !== 'over' && type !== 'reset' && session.conversation.offset < offset) return;
      off();
      resolve();
    });
  });
}

function chunksOf(
  session: RehydraSession,
  chunks: UiChunks,
  signal?: AbortSignal,
): ReadableStream<UiMessageChunk> {
  let off = (): void => {};
  const stop = (): void => void session.cancel(chunks.turnId ?? undefined);
  const leave = (): void => {
    off();
    signal?.removeEventListener('abort', stop);
  };
  return new ReadableStream({
    start(controller) {
      const take = (news: readonly UiMessageChunk[]): void => {
        for (const chunk of news) controller.enqueue(chunk);
        if (!chunks.isOver) return;
        leave();
        controller.close();
      };
      off = session.on('*', (event) => take(chunks.after(event, session.conversation)));
      take(chunks.sync(session.conversation));
      if (signal?.aborted === true) stop();
      else signal?.addEventListener('abort', stop);
    },
    // A reader that goes away leaves the answer running.
    cancel: leave,
  });
}
