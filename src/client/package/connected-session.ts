/**
 * ConnectedSession gives events to listeners, iterators and messages.
 *
 *  HEARD-1  A listener that throws keeps no event from the others.
 *  HEARD-2  Once the session is over, iterators end and messages without an answer fail.
 */
import { newId } from '../new-id.ts';
import type { NamedFrame } from '../outbox.ts';
import type { ClientEvent, SendOptions, Session, Welcome } from '../session.ts';
import { openSession } from '../session-client.ts';
import { socketAddress } from './address.ts';
import { Feed } from './feed.ts';
import { MessageHandle } from './message-handle.ts';
import {
  type Bookmark,
  type ConnectOptions,
  type ForkPlace,
  type OverEvent,
  overError,
  type RegenerateOptions,
  type RehydraSession,
  type SentMessage,
  type SessionEvents,
  type SocketConstructor,
} from './rehydra-session.ts';

type Listener = (event: never) => void;

export class ConnectedSession implements RehydraSession {
  readonly #session: Session;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #messages = new Set<MessageHandle>();
  readonly #feed = new Feed<ClientEvent>();
  readonly ready: Promise<Welcome>;
  readonly over: Promise<OverEvent>;

  constructor({ url, after, WebSocket: Given, clientId = newId(), ...options }: ConnectOptions) {
    const Socket = Given ?? (globalThis as { readonly WebSocket?: SocketConstructor }).WebSocket;
    if (Socket === undefined) throw new TypeError('this platform has no WebSocket: pass one');
    const isResuming = options.sessionId !== undefined && after !== 'now';
    this.#session = openSession({
      ...options,
      clientId,
      urls: [url].flat().map(socketAddress),
      connect: (address) => new Socket(address),
      onEvent: (event) => this.#onEvent(event),
      ...(isResuming ? { after: after ?? 0 } : {}),
    });
    this.over = new Promise((resolve) => this.on('over', resolve));
    this.ready = new Promise((resolve, reject) => {
      this.on('welcomed', ({ welcome }) => resolve(welcome));
      this.on('over', (event) => reject(overError(event)));
    });
    this.ready.catch(() => {});
  }

  get id(): string | null {
    return this.#session.id;
  }

  get state() {
    return this.#session.state;
  }

  get conversation() {
    return this.#session.conversation;
  }

  get connected(): boolean {
    return this.#session.connected;
  }

  get unacknowledged(): readonly string[] {
    return this.#session.unacknowledged;
  }

  get bookmark(): Bookmark | null {
    const { id, epoch, conversation } = this.#session;
    if (id === null) return null;
    return { sessionId: id, after: conversation.offset, ...(epoch === null ? {} : { epoch }) };
  }

  send(content: string, options: SendOptions = {}): SentMessage {
    return this.#request({ type: 'message', content, id: newId(), ...options });
  }

  regenerate({ turnId, ...options }: RegenerateOptions = {}): SentMessage {
    const turn = turnId === undefined ? {} : { turn_id: turnId };
    return this.#request({ type: 'regenerate', id: newId(), ...turn, ...options });
  }

  fork(place: ForkPlace = {}): Promise<string> {
    const { id, done } = this.#request({ type: 'fork', id: newId(), ...place });
    return new Promise((resolve, reject) => {
      // The listener stays as long as the session: forks are rare, and its removal would cost each page bytes.
      this.on('forked', (frame) => {
        if (frame.message_id === id) resolve(frame.session_id);
      });
      done.catch(reject);
    });
  }

  #request(frame: NamedFrame): MessageHandle {
    const message = new MessageHandle(frame.id);
    this.#session.request(frame);
    this.#messages.add(message);
    return message;
  }

  cancel(turnId?: string): boolean {
    return this.#session.cancel(turnId);
  }

  withdraw(messageId: string): boolean {
    return this.#session.withdraw(messageId);
  }

  extend(): boolean {
    return this.#session.extend();
  }

  close(): void {
    this.#session.close();
  }

  leave(): void {
    this.#session.stop();
  }

  on<T extends keyof SessionEvents>(type: T, listener: (event: SessionEvents[T]) => void): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ClientEvent> {
    return this.#feed.read();
  }

  #onEvent(event: ClientEvent): void {
    for (const message of this.#messages)
      if (message.onEvent(event, this.#session)) this.#messages.delete(message);
    this.#tell('*', event);
    this.#tell(event.type, event);
    if (event.type === 'frame') this.#tell(event.frame.type, event.frame);
    this.#feed.push(event);
    if (event.type === 'over') this.#feed.end({ kind: 'done' }); // HEARD-2
  }

  #tell(type: string, event: unknown): void {
    for (const listener of this.#listeners.get(type) ?? [])
      try {
        listener(event as never);
      } catch (error) {
        // HEARD-1: the platform reports it as an uncaught error.
        queueMicrotask(() => {
          throw error;
        });
      }
  }
}
